"""What sessions, machines and traces look like: safe HTML, useful text, the same in every front end."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64decode
from html.parser import HTMLParser

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient

import unaiverse_lab as lab
from unaiverse_lab import notebook
from unaiverse_lab.core.errors import LabError, WorldError
from unaiverse_lab.core.records import InState, Moved, Tried
from unaiverse_lab.notebook import (
    Shown,
    graph,
    install,
    machine_bundle,
    session_bundle,
    table,
    timeline,
    trace_bundle,
    why,
)
from unaiverse_lab.view import Past

EVIL = "<b>Eve</b><script>alert(1)</script>\"'&"
HARMLESS = {"div", "p", "img", "table", "thead", "tbody", "tr", "th", "td"}


class Page(HTMLParser):
    """Tags, attributes and words of a piece of HTML; the drawings inside it are looked at as well."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.drawings: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        source = dict(attrs).get("src")
        if source is not None:
            kind, _, data = source.partition(",")
            assert kind == "data:image/svg+xml;base64"
            self.drawings.append(b64decode(data).decode())

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def assert_safe(html: str) -> Page:
    page = Page(html)
    assert page.tags <= HARMLESS
    assert page.attributes <= {"alt", "src", "style"}
    for drawing in page.drawings:
        inside = Page(drawing.replace('xmlns="http://www.w3.org/2000/svg"', ""))
        assert inside.tags.isdisjoint({"script", "foreignobject", "a", "use", "image", "style", "b"})
        assert not any(name.startswith("on") or "href" in name for name in inside.attributes)
    return page


@pytest.fixture
def chat() -> lab.Session:
    session = lab.load("chat")
    session.run(max_cycles=120)
    return session


@pytest.fixture
def evil() -> lab.Session:
    """A world whose roles, states, nodes and lines all carry markup."""

    class Role(lab.Agent):
        @lab.action
        async def speak(self) -> bool:
            """Fails with markup in its reason."""
            return self.because(EVIL)

    class EvilWorld(lab.World):
        def assign_role(self, profile: lab.NodeProfile, is_world_master: bool) -> str:
            return "evil"

    machine = lab.HybridStateMachine(Role(proc=None))
    machine.add_state(EVIL, msg=EVIL)
    machine.add_transit(EVIL, f"{EVIL}2", action="speak")
    machine.add_transit(EVIL, f"{EVIL}3", action="nop", delay=0.2)
    session = lab.Session(EvilWorld(roles={"evil": Role}, behaviors={"evil": machine}), name=f"{EVIL} world")
    session.add(Role(proc=None), EVIL)
    session.run(max_cycles=20)
    assert session.states_of(EVIL) == [f"{EVIL}3"]
    return session


def test_bundles_hold_html_and_text(chat: lab.Session) -> None:
    for bundle in (session_bundle(chat), machine_bundle(chat.agent("Ada").behav), trace_bundle(chat.trace)):
        assert bundle.keys() == {"text/html", "text/plain"}
        assert_safe(bundle["text/html"])
        assert "<" not in bundle["text/plain"].replace("->", "")


def test_markup_in_names_stays_text(evil: lab.Session) -> None:
    shown = [graph(evil, "evil"), graph(evil, EVIL), timeline(evil), table(evil)]
    bundles = [session_bundle(evil), machine_bundle(evil.agent(EVIL).behav), trace_bundle(evil.trace)]
    for html in [one.html for one in shown] + [bundle["text/html"] for bundle in bundles]:
        assert_safe(html)
    assert EVIL in "".join(Page(session_bundle(evil)["text/html"]).words)


def test_a_session_says_who_is_where_since_when(chat: lab.Session) -> None:
    bundle = session_bundle(chat)
    page = assert_safe(bundle["text/html"])
    assert len(page.drawings) == 1
    for words in ("ChatAI", "broadcaster", "ready", "102 (5.1 s)"):
        assert words in page.words
        assert words in bundle["text/plain"]
    assert bundle["text/plain"].startswith(f"tick 119 (5.95 s), {len(chat.trace)} records")
    assert "tried" not in bundle["text/plain"]


def test_a_session_before_its_first_tick_and_one_without_anything() -> None:
    session = lab.load("chat")
    bundle = session_bundle(session)
    assert "not started yet" in bundle["text/plain"]
    assert not assert_safe(bundle["text/html"]).drawings
    assert_safe(session_bundle(lab.Session())["text/html"])
    assert_safe(trace_bundle(lab.Trace())["text/html"])
    assert table(session.trace).text.startswith("2 records")


def test_a_crowd_stays_a_short_table() -> None:
    class Crowd(lab.World):
        pass

    session = lab.Session(Crowd())
    for _ in range(70):
        session.add(lab.Agent(proc=None))
    session.step(3)
    bundle = session_bundle(session)
    assert "... and 21 more" in bundle["text/plain"]
    assert not Page(bundle["text/html"]).drawings
    assert len(bundle["text/html"]) < 20_000


def test_a_machine_lights_its_state(chat: lab.Session) -> None:
    bundle = machine_bundle(chat.agent("Ada").behav)
    assert bundle["text/plain"].startswith("user, now in ready\n")
    assert "now in ready" in Page(bundle["text/html"]).drawings[0]


def test_a_machine_without_states_says_so() -> None:
    bundle = machine_bundle(lab.HybridStateMachine(lab.Agent(proc=None)))
    assert "add_state('ready')" in bundle["text/plain"]
    assert_safe(bundle["text/html"])


def test_graph_of_a_role_says_who_is_where_and_that_of_a_node_lights_its_state(chat: lab.Session) -> None:
    role, node = graph(chat, "user"), graph(chat, "Polly")
    assert repr(role).startswith("user: ChatAI in ready; Polly in ready; Ada in ready\n")
    assert repr(node).startswith("Polly: user, now in ready\n")
    assert "now in ready" in Page(node.html).drawings[0]
    with pytest.raises(WorldError, match=r"no node or role 'usr'\. Did you mean 'user'"):
        graph(chat, "usr")
    with pytest.raises(WorldError, match="hosts a world"):
        graph(chat, "ChatRoom")


def test_timelines_and_tables_of_sessions_traces_and_files(chat: lab.Session) -> None:
    records = list(chat.trace)
    assert timeline(chat.trace).text == timeline(records).text == timeline(chat).text
    assert table(chat.trace).html == table(records).html == table(chat).html
    assert timeline(chat, last=1).text.count("\n") < timeline(chat).text.count("\n")
    assert timeline(chat, last=0).text.count("\n") == 0


def test_tables_take_kinds_by_name_or_class(chat: lab.Session) -> None:
    moves = sum(isinstance(record, Moved) for record in chat.trace)
    for kinds in ("transition", Moved, ["transition"], (Moved,)):
        assert table(chat, kinds).text.startswith(f"{moves} such records\n")
    assert table(chat, (Moved, "message"), last=3).text.startswith(f"the last 3 of {moves + 6} such records\n")
    assert table(chat, last=0).text.startswith(f"{len(chat.trace)} records")
    assert table(chat).text.startswith("the last 200 of ")
    assert table(chat, last=10**9).text.count("\n") > 200
    with pytest.raises(LabError, match=r"no records of kind 'mesage'\. Did you mean 'message'"):
        table(chat, "mesage")


def test_a_trace_that_let_records_go_is_shown_all_the_same() -> None:
    session = lab.load("chat", trace=lab.Trace(capacity=50))
    session.run(max_cycles=120)
    assert session.trace.gone
    for bundle in (session_bundle(session), trace_bundle(session.trace)):
        assert_safe(bundle["text/html"])
    assert str(len(session.trace)) in table(session).text
    assert len(table(session).text.splitlines()) < 100
    assert all(isinstance(record, Tried | InState) for record in session.trace)


def test_an_ipython_shell_draws_them_and_subclasses_too(chat: lab.Session) -> None:
    shell = InteractiveShell()
    shell.display_formatter.active_types = shell.display_formatter.format_types
    install(shell)
    install(shell)

    class Mine(lab.Session):
        """A learner's own kind of session."""

    for shown, expected in (
        (chat, session_bundle(chat)),
        (chat.trace, trace_bundle(chat.trace)),
        (chat.agent("Ada").behav, machine_bundle(chat.agent("Ada").behav)),
        (graph(chat, "user"), graph(chat, "user")._repr_mimebundle_()),
        (Mine(), session_bundle(Mine())),
    ):
        data, _ = shell.display_formatter.format(shown)
        assert data == expected
    data, _ = shell.display_formatter.format(Shown("<p>x</p>", "x"))
    assert data == {"text/html": "<p>x</p>", "text/plain": "x"}


def test_why_is_safe_and_says_the_same_in_both_forms(evil: lab.Session, chat: lab.Session) -> None:
    shown = why(evil, EVIL)
    assert_safe(shown.html)
    assert EVIL in "".join(Page(shown.html).words)
    shown = why(chat, "Broadcaster")
    assert repr(shown) == shown.text == str(shown.explanation)
    assert shown.explanation.headline in "".join(Page(shown.html).words)
    past = Past()
    for session in (chat, chat.step(), chat.trace, list(chat.trace)):
        assert why(session, "Ada", past=past).explanation.node == "Ada"
    assert why(chat, "Ada", 3, past).explanation.tick == 3
    chat.add(lab.Agent(), "Newcomer")
    assert "has not asked to join so far" in why(chat, "Newcomer", past=past).text
    with pytest.raises(LabError, match=r"no node 'Adda'\. Did you mean 'Ada'"):
        why(chat, "Adda")


def test_why_shows_the_machine_as_it_runs_now(chat: lab.Session) -> None:
    behav = chat.agent("Ada").behav
    behav.add_transit("ready", "gone", "nop", delay=600.0)
    assert [one.target for one in why(chat, "Ada").explanation.verdicts] == ["init", "message_sent", "gone"]
    assert [one.target for one in why(chat, "Ada", 20).explanation.verdicts] == ["init", "message_sent"]


def test_importing_the_helpers_loads_nothing_else() -> None:
    code = (
        "import sys; import unaiverse_lab.notebook as n; dir(n); "
        "assert not {'IPython', 'msgspec', 'numpy', 'unaiverse_lab.runtime'} & set(sys.modules); "
        "n.table; assert 'IPython' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    with pytest.raises(AttributeError):
        notebook.nothing  # type: ignore[attr-defined]


@pytest.mark.notebook
def test_in_a_notebook_importing_the_package_is_enough() -> None:
    content = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell("import unaiverse_lab as lab\ns = lab.load('chat')\n_ = s.run(max_cycles=60)\ns"),
            nbformat.v4.new_code_cell("from unaiverse_lab.notebook import graph\ngraph(s, 'user')"),
        ]
    )
    NotebookClient(content, timeout=60, kernel_name="python3").execute()
    session, drawing = (cell.outputs[-1].data for cell in content.cells)
    expected = lab.load("chat")
    expected.run(max_cycles=60)
    assert dict(session) == session_bundle(expected)
    assert dict(drawing) == graph(expected, "user")._repr_mimebundle_()
