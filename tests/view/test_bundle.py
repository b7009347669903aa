"""Static output of a session: self-contained, safe and small."""

from __future__ import annotations

from base64 import b64decode

from unaiverse_lab.view import (
    Status,
    image_html,
    machine_html,
    machine_svg,
    session_html,
    session_text,
    timeline_svg,
)

from .machines import BROADCASTER, USER
from .test_text import Tags
from .traces import CHAT

ROSTER = [
    Status("Hub", "broadcaster", "ready", "0 (0.0 s)", "waits for requests"),
    Status("Ada", "user", "ready", "20 (1.0 s)", "trying generate_and_send"),
]


def test_an_image_carries_its_data() -> None:
    svg = machine_svg(USER)
    html = image_html(svg, 'the "user" machine <b>')
    assert html.startswith('<img alt="the &quot;user&quot; machine &lt;b&gt;" src="data:image/svg+xml;base64,')
    assert b64decode(html.split("base64,")[1].split('"')[0]).decode() == svg


def test_a_machine_has_words_for_those_who_cannot_see_it() -> None:
    assert "1. connect_to_broadcaster(" in machine_html(USER).split(" src=")[0]


def test_a_session_in_html() -> None:
    pictures = {
        "Hub: broadcaster": machine_svg(BROADCASTER, current="ready"),
        "Ada: user": machine_svg(USER, current="ready"),
        "Timeline": timeline_svg(CHAT),
    }
    html = session_html(ROSTER, pictures, CHAT)
    tags = Tags(html)
    assert tags.tags == {"div", "p", "img", "table", "thead", "tbody", "tr", "th", "td"}
    assert tags.attributes == {"alt", "src", "style"}
    assert html.count("<img ") == 3 and html.count("<table>") == 2
    assert len(html) < 60_000


def test_a_session_in_text() -> None:
    head, *rows = session_text(ROSTER, CHAT).split("\n\n")[0].splitlines()
    assert head.split() == ["agent", "role", "state", "since", "status"]
    assert [row.index("ready") for row in rows] == [head.index("state")] * 2
    assert "Hub dropped a message of Eve" in session_text(ROSTER, CHAT)
