"""Screens: the layout, what is shown where, and the answers to those who ask for it."""

from __future__ import annotations

import json

import pytest

from events.kit import Ear, Noise, reasons
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.events import (
    ChatInterfaceWorld,
    EventRefused,
    User,
    UserRequestsScreensToWorldEvent,
    UserSpeaksWithAgentEvent,
)

LAYOUT = {
    "name": "Test",
    "settings": {},
    "screens": [
        {
            "name": "Chat Room",
            "has_input": True,
            "screen_type": "event_history",
            "tracked_events": [{"event_type": "user_speaks_with_agent_event"}],
        },
        {
            "name": "All <events>",
            "has_input": False,
            "screen_type": "event_history",
            "tracked_events": [
                {"event_type": "noise", "filters": [{"field": "n", "value": 2}], "css_classes": ["two"]},
                {"event_type": "noise", "fields_to_display": [{"name": "n", "format": "fg:#ff0000 bold"}]},
                {
                    "event_type": "user_speaks_with_agent_event",
                    "fields_to_display": [{"name": "message"}, {"name": "n"}],
                },
            ],
        },
    ],
}


def talk(layout):
    ear, you = Ear(id="ear"), User()
    world = ChatInterfaceWorld("Chat", "", objects=[ear], id="w", screens_config_path=layout)
    world.add(you)
    run = world.launch()
    you.send(UserSpeaksWithAgentEvent(target_id="ear", message="<b>hello</b>"))
    for n in (1, 2):
        you.send(Noise(n=n))
    run.run()
    return world, you, run


def test_each_event_stands_once_on_each_screen_that_tracks_it() -> None:
    world, you, run = talk(LAYOUT)
    screens = world.screens()
    assert screens.counts() == {"Chat Room": 1, "All <events>": 3}
    all_events = screens.lines["All <events>"]
    assert [line.body for line in all_events] == ["message: <b>hello</b>\nn: None", "1", "For everybody."]
    assert [line.css_classes for line in all_events] == [[], [], ["two"]]
    assert all_events[0].header == "test_user -> ear · 1970-01-01T00:00:00.000+00:00"
    run.session.goto(0)
    assert world.screens().counts() == {"Chat Room": 0, "All <events>": 0}


def test_they_are_shown_as_text_and_as_html_in_which_nothing_is_run() -> None:
    world, you, run = talk(LAYOUT)
    shown = world.screens()._repr_mimebundle_()
    assert "All &lt;events&gt;" in shown["text/html"] and "<b>hello</b>" not in shown["text/html"]
    assert shown["text/html"].count("<details") == 2 and "script" not in shown["text/html"]
    assert "== Chat Room (1)" in shown["text/plain"]


def test_who_asks_gets_the_layout(tmp_path) -> None:
    file = tmp_path / "screens.json"
    file.write_text(json.dumps(LAYOUT))
    world, you, run = talk(file)
    you.send(UserRequestsScreensToWorldEvent())
    run.run()
    assert [screen["name"] for screen in you.received[-1].screens_config["screens"]] == ["Chat Room", "All <events>"]


@pytest.mark.parametrize(
    ("content", "why"), [(None, "there is no file of screens"), ("{", "not valid JSON"), ("{}", "is wrong")]
)
def test_a_layout_that_cannot_be_read_is_told_to_who_asks(content, why, tmp_path) -> None:
    file = tmp_path / "screens.json"
    if content is not None:
        file.write_text(content)
    world, you, run = talk(file)
    you.send(UserRequestsScreensToWorldEvent(target_id="w"))
    run.run()
    assert isinstance(you.received[-1], EventRefused) and why in you.received[-1].reason and why in reasons(world)[-1]
    with pytest.raises(WorldError, match=why):
        world.screens()
