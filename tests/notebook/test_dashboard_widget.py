"""The live dashboard, without a front end: when it draws, what it sends, what it leaves in a notebook."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

import unaiverse_lab as lab
from unaiverse_lab.core.errors import LabError
from unaiverse_lab.notebook import LiveDashboard, live
from unaiverse_lab.stats import Stats, UIPlot, render_plotly_html
from unaiverse_lab.stats.page import plotly_js
from unaiverse_lab.view import core_dashboard


class Clock:
    """The time that views see; every look at it takes no time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(live.time, "monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.fixture
def chat() -> lab.Session:
    return lab.load("chat")


def say(shown: live.LiveView, **message: Any) -> None:
    """What a front end sends."""
    shown._heard(shown.wire, message)


def title(view: LiveDashboard) -> str:
    return str(view.figure["layout"]["title"]["text"]) if view.figure else ""


def test_nobody_looks_and_nothing_is_drawn(chat: lab.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    board = LiveDashboard(chat)
    monkeypatch.setattr(board, "look", lambda: pytest.fail("drawn for nobody"))
    chat.run(max_cycles=50)
    assert board.figure == {}


def test_it_draws_what_the_trace_says_as_soon_as_somebody_looks(chat: lab.Session) -> None:
    board = LiveDashboard(chat, theme="dark")
    chat.step(30)
    say(board, kind="hello", view="a")
    assert board.figure == core_dashboard(chat.trace, theme="dark")
    say(board, kind="bye", view="a")
    chat.step(5)
    board.refresh()
    assert "tick 29," in title(board)


def test_at_most_five_times_a_second(chat: lab.Session, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    board = LiveDashboard(chat)
    say(board, kind="hello", view="a")
    drawn: list[float] = []
    monkeypatch.setattr(board, "look", lambda: drawn.append(clock.now))
    for _ in range(200):
        chat.step()
        clock.now += 0.01
    assert 8 <= len(drawn) <= 10, "two seconds"
    assert all(late - early >= live.LEAST_PAUSE for early, late in pairwise(drawn))


def test_what_is_slow_or_large_is_drawn_less_often(
    chat: lab.Session, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = LiveDashboard(chat)
    say(board, kind="hello", view="a")
    drawn: list[float] = []

    def slow() -> int:
        drawn.append(clock.now)
        clock.now += 0.1
        return 0

    monkeypatch.setattr(board, "look", slow)
    for _ in range(300):
        chat.step()
        clock.now += 0.01
    assert 2 <= len(drawn) <= 4, "a tenth of the time"


def test_going_back_is_drawn_from_what_is_left(chat: lab.Session) -> None:
    board = LiveDashboard(chat)
    say(board, kind="hello", view="a")
    chat.step(120)
    board.refresh()
    chat.back(60)
    board._next = 0.0
    board.refresh()
    assert board.figure == core_dashboard(chat.trace)
    chat.step(60)
    board.refresh()
    assert board.figure == core_dashboard(chat.trace)


def test_a_cursor_of_one_view_moves_the_others(chat: lab.Session) -> None:
    first, second = LiveDashboard(chat), LiveDashboard(chat)
    chat.step(30)
    for board in (first, second):
        say(board, kind="hello", view="a")
    say(first, kind="cursor", tick=7)
    assert second.figure == core_dashboard(chat.trace, 7)
    assert first.figure == core_dashboard(chat.trace)
    say(first, kind="cursor", tick=None)
    assert second.figure == first.figure


def test_the_library_is_handed_over_when_asked_for_and_is_no_part_of_the_state(chat: lab.Session) -> None:
    board = LiveDashboard(chat)
    sent: list[tuple[Any, Any]] = []
    board.wire.send = lambda content, buffers=None: sent.append((content, buffers))
    say(board, kind="library")
    assert sent == [({"kind": "library"}, [plotly_js().encode()])]
    say(board, kind="hello", view="a")
    assert len(sent) == 1, "only answers go out on this wire"
    assert len(str(board.get_state())) < 120_000


def test_a_view_that_fails_says_so_and_the_run_goes_on(chat: lab.Session, monkeypatch: pytest.MonkeyPatch) -> None:
    board = LiveDashboard(chat)
    monkeypatch.setattr(board, "look", lambda: 1 / 0)
    say(board, kind="hello", view="a")
    chat.step(5)
    assert chat.tick == 4
    assert "cannot be drawn: ZeroDivisionError" in board.words


def test_looking_changes_nothing(chat: lab.Session) -> None:
    other = lab.load("chat")
    board = LiveDashboard(chat)
    say(board, kind="hello", view="a")
    chat.run(max_cycles=150)
    other.run(max_cycles=150)
    assert chat.digest() == other.digest()


def test_a_world_that_draws_itself_has_two_pages(chat: lab.Session) -> None:
    class Own(type(chat.world.stats)):  # type: ignore[misc]
        def plot(self, since_timestamp: int = 0) -> str | None:
            if chat.tick < 5:
                return None
            panel = UIPlot("Mine")
            panel.add_line([0, 1], [0, chat.tick], "so far")
            return render_plotly_html(panel.to_json())

    chat.world.stats.__class__ = Own
    board = LiveDashboard(chat)
    assert (board.pages, board.page) == (["overview", "statistics"], "statistics")
    say(board, kind="hello", view="a")
    assert "ChatRoom" in title(board), "nothing of its own yet"
    chat.step(10)
    board.refresh()
    assert title(board) == "Mine"
    say(board, kind="page", page="overview")
    assert "tick 9," in title(board)
    say(board, kind="page", page="nonsense")
    assert board.page == "overview"


def test_a_page_that_is_no_figure_is_not_offered(chat: lab.Session) -> None:
    chat.world.stats.__class__ = type("Own", (type(chat.world.stats),), {"plot": lambda self, since=0: "<p>mine</p>"})
    board = LiveDashboard(chat)
    say(board, kind="hello", view="a")
    assert board.pages == ["overview"]
    assert board.figure == core_dashboard(chat.trace)


def test_a_world_that_does_not_draw_has_one(chat: lab.Session) -> None:
    assert type(chat.world.stats).plot is Stats.plot
    assert LiveDashboard(chat).pages == ["overview"]


def test_printed_it_says_what_it_shows(chat: lab.Session, capsys: pytest.CaptureFixture[str]) -> None:
    chat.step(10)
    board = LiveDashboard(chat)
    assert "What each did last" in repr(board)
    assert "Polly" in repr(board)


def test_closed_it_lets_the_session_go(chat: lab.Session) -> None:
    board = LiveDashboard(chat)
    watching = len(chat.watchers)
    board.close()
    board.close()
    assert len(chat.watchers) == watching - 1
    chat.step(3)


@pytest.mark.parametrize(("wrong", "said"), [({"page": "overveiw"}, "overview"), ({"theme": "blue"}, "light, dark")])
def test_names_that_are_not_known(chat: lab.Session, wrong: dict[str, str], said: str) -> None:
    with pytest.raises(LabError, match=said):
        LiveDashboard(chat, **wrong)


def test_the_mode_is_the_environment_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(live.MODE, raising=False)
    assert live.display_mode() == "text"
    monkeypatch.setenv(live.MODE, "Static")
    assert live.display_mode() == "static"
    monkeypatch.setenv(live.MODE, "png")
    with pytest.raises(LabError, match="auto, widget, static or text"):
        live.display_mode()
