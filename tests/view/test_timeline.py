"""The timeline: stays, arrows and their ends, quiet stretches."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unaiverse_lab.core.records import Completed, Fault, Moved, Pushed, Record, Requested, RoleSet, Sent
from unaiverse_lab.view import machines_of, timeline_svg

from .machines import BROADCASTER, USER
from .random_machines import names
from .test_svg import SVG, parsed, words
from .traces import CHAT, START


def arrows(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [path for path in root.iter(SVG + "path") if "T" in path.get("d", "")]


def blocks(root: ElementTree.Element) -> list[tuple[str, float, float]]:
    """Lane, top and bottom of each stay."""
    found = [each for each in root.iter(SVG + "rect") if each.get("rx") == "3"]
    return [
        (each.get("x", ""), float(each.get("y", 0)), float(each.get("y", 0)) + float(each.get("height", 0)))
        for each in found
    ]


def test_nothing_yet() -> None:
    assert "nothing happened yet" in words(parsed(timeline_svg([])))


def test_lanes_ticks_and_states_are_named() -> None:
    shown = words(parsed(timeline_svg(CHAT)))
    assert {"Hub", "Ada", "Ben", "tick 0", "tick 20", "waiting_handshake", "message_sent"} <= set(shown)
    assert "ChatRoom" not in shown


def test_quiet_stretches_are_short_and_counted() -> None:
    assert "⋮ 15 quiet ticks" in words(parsed(timeline_svg(CHAT)))
    moves = [Moved(tick, float(tick), "Ada", "a", "go", "b") for tick in (0, 2, 1_000_000)]
    root = parsed(timeline_svg(moves))
    assert "⋮ 1 quiet tick" in words(root) and "⋮ 999997 quiet ticks" in words(root)
    assert float(root.get("height", 0)) < 300


@pytest.mark.parametrize(
    ("end", "dashed", "word"),
    [
        ([], True, None),
        ([Completed(3, 3.0, "Ben", "u", "received", "ok")], False, None),
        ([Completed(3, 3.0, "Ada", "u", "sent", "ok", peer="Ben")], False, None),
        ([Completed(3, 3.0, "Ben", "u", "received", "retry_timeout")], False, "retry_timeout"),
    ],
)
def test_a_request_shows_how_it_ended(end: list[Record], dashed: bool, word: str | None) -> None:
    trace = [
        Sent(1, 1.0, "Ada", "u", ["Ben"], "dance"),
        Requested(2, 2.0, "Ben", "u", "Ada", "dance", "ready"),
        *end,
    ]
    root = parsed(timeline_svg(trace))
    (arrow,) = arrows(root)
    assert ("stroke-dasharray" in arrow.attrib) is dashed
    assert "dance" in words(root)
    assert word is None or word in words(root)


def test_a_refusal_and_a_lost_request_are_drawn() -> None:
    refused = [
        Sent(1, 1.0, "Ada", "u", ["Ben"], "dance"),
        Requested(2, 2.0, "Ben", "u", "Ada", "dance", accepted=False, reason="no such action"),
    ]
    assert "refused" in words(parsed(timeline_svg(refused)))
    (arrow,) = arrows(parsed(timeline_svg([Sent(1, 1.0, "Ada", "u", ["Ben"], "dance")])))
    assert "stroke-dasharray" in arrow.attrib


def test_one_request_to_many_is_one_arrow_each() -> None:
    assert len(arrows(parsed(timeline_svg([Sent(1, 1.0, "Ada", "u", ["Ben", "Cid", "Dee"], "dance")])))) == 3


def test_arrows_that_arrive_together_have_their_own_lines() -> None:
    trace: list[Record] = [RoleSet(0, 0.0, name, "user", "init") for name in ("Dee", "Ada", "Ben", "Cid")]
    trace += [Pushed(1, 1.0, "Dee", owner, "voice", 0, value=f"of {owner}") for owner in ("Ada", "Ben", "Cid")]
    ends = {arrow.get("d", "").split("T")[1].split("H")[0].split()[1] for arrow in arrows(parsed(timeline_svg(trace)))}
    assert len(ends) == 3


def test_stays_follow_blocking_and_never_overlap() -> None:
    root = parsed(timeline_svg(CHAT))
    stays = blocks(root)
    assert len(stays) == len({(lane, top) for lane, top, _ in stays})
    for lane, top, bottom in stays:
        assert top < bottom
        assert not any(top < other < bottom for mine, other, _ in stays if mine == lane)
    entered = [Moved(1, 1.0, "Ada", "init", "go", "there"), Moved(2, 2.0, "Ada", "there", "go", "init")]
    passing = {"Ada": {"states": {"there": {"blocking": False}}}}
    late, soon = (blocks(parsed(timeline_svg(entered, machines=each))) for each in (None, passing))
    assert late[1][1] > soon[1][1]


def test_machines_are_found_in_the_trace() -> None:
    assert machines_of(START) == {"Hub": BROADCASTER, "Ada": USER, "Ben": USER}
    assert timeline_svg(CHAT) == timeline_svg(CHAT, machines={"Hub": BROADCASTER, "Ada": USER, "Ben": USER})


def test_only_the_last_ticks() -> None:
    shown = words(parsed(timeline_svg(CHAT, last=2)))
    assert [word for word in shown if word.startswith("tick ")] == ["tick 35", "tick 40"]
    assert "nothing happened yet" in words(parsed(timeline_svg(CHAT, last=0)))


def test_a_state_entered_before_the_window_is_still_shown() -> None:
    trace = [
        RoleSet(0, 0.0, "Ada", "user", "init"),
        *(Sent(tick, 1.0, "Ada", "u", ["Ben"]) for tick in (5, 6)),
    ]
    assert "init" in words(parsed(timeline_svg(trace, last=1)))


names_of_nodes = st.one_of(st.sampled_from(["Ada", "Ben", "<script>"]), names)


@st.composite
def happenings(draw: st.DrawFn) -> list[Record]:
    def record(tick: int) -> Record:
        node, peer, state = draw(names_of_nodes), draw(names_of_nodes), draw(names)
        return draw(
            st.sampled_from(
                [
                    Moved(tick, 0.5, node, "a", "go", state),
                    RoleSet(tick, 0.5, node, "user", state),
                    Sent(tick, 0.5, node, "u", [peer, node], state),
                    Requested(tick, 0.5, node, "u", peer, state),
                    Completed(tick, 0.5, node, "u", "received", state),
                    Pushed(tick, 0.5, node, peer, "out", 1, value=state),
                    Fault(tick, 0.5, node, state),
                ]
            )
        )

    return [record(tick) for tick in sorted(draw(st.lists(st.integers(0, 30), max_size=25)))]


@settings(max_examples=80, deadline=None)
@given(happenings())
def test_any_trace_gives_a_well_formed_picture(trace: list[Record]) -> None:
    svg = timeline_svg(trace)
    parsed(svg)
    assert "<script" not in svg
