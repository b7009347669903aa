"""Dashboards in a notebook: data for plotly, tables for the rest, and nothing large in what is saved."""

from __future__ import annotations

import json

import pytest
from IPython.core.interactiveshell import InteractiveShell

import unaiverse_lab as lab
from unaiverse_lab.core.errors import LabError
from unaiverse_lab.notebook import Drawn, display_dashboard, install
from unaiverse_lab.notebook.display import PLOTLY
from unaiverse_lab.stats import UIPlot, WorldSidebarDash
from unaiverse_lab.view import core_dashboard


@pytest.fixture(scope="module")
def chat() -> lab.Session:
    session = lab.load("chat")
    session.run(max_cycles=120)
    return session


def test_one_description_three_forms(chat: lab.Session) -> None:
    shown = display_dashboard(chat)
    bundle = shown._repr_mimebundle_()
    assert list(bundle) == [PLOTLY, "text/html", "text/plain"]
    figure = core_dashboard(chat.trace)
    assert (bundle[PLOTLY]["data"], bundle[PLOTLY]["layout"]) == (figure["data"], figure["layout"])
    assert "What each did last" in bundle["text/html"]
    assert "<script" not in bundle["text/html"]
    assert repr(shown) == bundle["text/plain"]
    assert len(json.dumps(bundle)) < 40_000


def test_a_moment_of_the_past_from_a_session_a_trace_or_records(chat: lab.Session) -> None:
    titles = {
        display_dashboard(source, tick=20).text.splitlines()[0] for source in (chat, chat.trace, list(chat.trace))
    }
    assert titles == {"ChatRoom: tick 20, 1 s"}
    with pytest.raises(LabError, match="no theme"):
        display_dashboard(chat, theme="pink")


@pytest.mark.parametrize("kind", [UIPlot, WorldSidebarDash])
def test_panels_and_dashes_show_themselves(kind: type[UIPlot | WorldSidebarDash]) -> None:
    shell = InteractiveShell()
    install(shell)
    data, _ = shell.display_formatter.format(kind("Title"))
    assert data[PLOTLY]["layout"]["title"]["text"] in ("Title", "<b>Title</b>")
    assert "text/html" in data


def test_it_is_a_kind_of_what_is_shown(chat: lab.Session) -> None:
    assert isinstance(display_dashboard(chat), Drawn)
