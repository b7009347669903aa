"""Words: a sentence for each record, tables that align, nothing that a notebook would have to trust."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import get_args

import pytest

from unaiverse_lab.core.records import (
    AnyRecord,
    Completed,
    Fault,
    Injected,
    Joined,
    Moved,
    Pushed,
    Record,
    Said,
    Sent,
    Stat,
    Tried,
)
from unaiverse_lab.view import records_text, sentence, table_html, transitions_text

from .traces import CHAT


class Tags(HTMLParser):
    """Collects what a browser would see as elements and attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_every_kind_of_record_has_its_own_sentence() -> None:
    assert {type(record) for record in CHAT} == set(get_args(AnyRecord))
    for record in CHAT:
        text = sentence(record)
        assert text.startswith(record.node + " ") and text.endswith(".") and "\n" not in text
        assert "of kind" not in text


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (
            Moved(1, 0.5, "Ada", "init", "go", "ready"),
            "Ada went from init to ready: go succeeded, on its own.",
        ),
        (
            Moved(1, 0.5, "Hub", "ready", "relay", "ready", requester="Ada", uuid="u1"),
            "Hub stayed in ready: relay succeeded, asked by Ada (u1).",
        ),
        (
            Tried(1, 0.5, "Ada", "init", "go", "ready", "failed", reason="nobody there"),
            "Ada tried go in init, on its own: it did not succeed (nobody there).",
        ),
        (Joined(1, 0.5, "Ada", "refused", reason="no such role"), "Ada was refused: no such role."),
        (
            Sent(1, 0.5, "Ada", "u", ["Ben", "Cid"], "learn", {"n": 3}),
            "Ada asked Ben, Cid to learn(n=3) (u).",
        ),
        (
            Completed(1, 0.5, "Hub", "u", "sent", "ok", peer="Ada, Ben"),
            "Hub delivered data to Ada, Ben (u).",
        ),
        (
            Completed(1, 0.5, "Hub", "u", "sent", "disconnected", peer="", detail="nobody could be reached"),
            "Hub could not deliver data to anybody: disconnected (nobody could be reached) (u).",
        ),
        (Completed(1, 0.5, "Ada", "u", "received", "ok", peer="Hub"), "Ada received data of Hub (u)."),
        (
            Completed(1, 0.5, "Ada", "u", "received", "discarded", peer="Hub"),
            "Ada waits no longer for data of Hub: discarded (u).",
        ),
        (
            Completed(1, 0.5, "Ada", "u", "sent", "error", "learn", "Hub", detail="no"),
            "Ada sees learn asked of Hub ended without success, error (no) (u).",
        ),
        (Injected(1, 0.5, "Ada", "typed", "Hello"), "Ada typed: Hello."),
        (Injected(1, 0.5, "Ada", "typed", "Hello."), "Ada typed: Hello."),
        (Injected(1, 0.5, "Ada", "typed"), "Ada typed."),
        (Injected(1, 0.5, "Ada", "stdin", "Hello"), "Ada was given stdin from outside: Hello."),
        (Pushed(1, 0.5, "Ada", "Hub", "out", 3, value="Hello"), "Ada received sample 3 of Hub:out: Hello."),
        (Pushed(1, 0.5, "Ada", "Hub", "out", 3, value="Who?\n"), "Ada received sample 3 of Hub:out: Who?"),
        (Pushed(1, 0.5, "Ada", "Hub", "out", 3, value="a" * 200), f"Ada received sample 3 of Hub:out: {'a' * 119}…"),
        (Stat(1, 0.5, "Ada", "err", "Ada", 0.25), "Ada reported err = 0.25 for Ada."),
        (Stat(1, 0.5, "Hub", "rounds", None, 3), "Hub reported rounds = 3."),
        (
            Stat(1, 0.5, "Ada", "rounds", None, 3, False, "only masters"),
            "Ada could not report rounds = 3: only masters.",
        ),
        (Pushed(1, 0.5, "Ada", "Hub", "out", 3), "Ada received sample 3 of Hub:out."),
        (Said(1, 0.5, "Ada", "one\ntwo"), 'Ada says "one two".'),
        (Fault(1, 0.5, "Ada", "ValueError: no"), "Ada met an error: ValueError: no."),
        (
            Fault(1, 0.5, "Ada", "ValueError: no", "ready", "go", "cell 2:4", "go(1)"),
            "Ada met an error in go, state ready at cell 2:4: ValueError: no (go(1)).",
        ),
    ],
)
def test_sentences(record: Record, text: str) -> None:
    assert sentence(record) == text


def test_a_new_kind_of_record_still_has_a_sentence() -> None:
    class Sneezed(Record, tag="sneeze"):
        pass

    assert sentence(Sneezed(1, 0.5, "Ada")) == "Ada recorded something of kind sneeze."


def test_transitions_align_and_say_why() -> None:
    assert transitions_text(CHAT[:8] + CHAT[17:21]).splitlines() == [
        "tick      t  node  from -> to                 action                  why",
        "   1  0.050  Ada   init -> waiting_handshake  connect_to_broadcaster  on its own",
        "   1  0.050  Ben   init -> waiting_handshake  connect_to_broadcaster  on its own",
        "  20  1.000  Ada   message_sent -> ready      nop                     on its own",
        "  21  1.050  Hub   ready -> ready             broadcast_message       asked by Ada (u1)",
    ]


def test_records_one_line_each_and_only_the_last() -> None:
    lines = records_text(CHAT, last=3).splitlines()
    assert len(lines) == 4
    assert lines[0].split() == ["tick", "t", "what", "happened"]
    assert lines[-1].split(maxsplit=2) == ["40", "2.000", "Hub dropped a message of Eve: not a member."]
    assert len(records_text([Said(1, 0.0, "Ada", "a\nb\r\nc")]).splitlines()) == 2


def test_the_html_table_holds_nothing_to_trust() -> None:
    evil = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
    html = Tags(table_html([Said(1, 0.0, evil, evil), Fault(2, 0.0, "Ada", evil)]))
    assert html.tags == {"table", "thead", "tbody", "tr", "th", "td"}
    assert html.attributes == {"style"}
