"""Cells that define a world: what is taken, what is refused and at which line, the forms they can be written in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import chat_cells
import nbformat
import pytest
from shells import LEARNING, SCHOOL, SESSION, STUDENT, TEACHER, TEACHING, WORLD, Notebook

import unaiverse_lab as lab
from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.notebook import read_result
from unaiverse_lab.notebook.diagnostics import DefinitionError
from unaiverse_lab.notebook.execution import execute_notebook

# ---------------------------------------------------------------------- what is found, and where


def caret(printed: str) -> str:
    """What the (first) caret points at."""
    lines = printed.splitlines()
    place = next(number for number, line in enumerate(lines) if re.match(r"\s+\| +\^+$", line))
    start, end = lines[place].index("^"), len(lines[place])
    return lines[place - 1][start:end]


ROLE = "%%role teacher\n"
BEHAVIOR = "%%behavior teacher\nbehav.add_state('init')\n"

WRONG = {
    "syntax": (ROLE + "async def greet(self) -> bool\n    return True\n", 2, "UL001", "expected ':'", None),
    "a name": ("%%role 2teacher\nx = 1\n", 1, "UL002", "cannot be the name of a role", None),
    "the body": (ROLE + "x = 1\n\ny = x / 0\n", 4, "UL004", "ZeroDivisionError", "x / 0"),
    "not async": (
        ROLE + "\n@lab.action\ndef greet(self) -> bool:\n    return True\n",
        4,
        "UL010",
        "'async def'",
        "greet",
    ),
    "reserved": (ROLE + "async def a(self, x: int,\n    delay: int) -> bool: ...\n", 3, "UL012", "reserved", "delay"),
    "many": (ROLE + "async def a(self, *rest) -> bool: ...\n", 2, "UL012", "'*rest'", "rest"),
    "await": (
        ROLE + "async def a(self) -> bool:\n    if self.nop():\n        return True\n",
        3,
        "UL013",
        "self.nop(...) is not awaited",
        "self.nop()",
    ),
    "two actions": (
        "%%action teacher\nasync def a(self) -> bool: ...\nasync def b(self) -> bool: ...\n",
        1,
        "UL014",
        "this one 2",
        None,
    ),
    "something else": ("%%action teacher\nx = 1\n", 2, "UL014", "holds an 'async def' and nothing else", "x = 1"),
    "two names": ("%%action teacher hop\nasync def hup(self) -> bool: ...\n", 2, "UL002", "'hup'", "hup"),
    "no such action": (
        BEHAVIOR + "\nbehav.add_transit('init', 'init',\n    'gret')\n",
        5,
        "UL021",
        "Teacher has no action 'gret'",
        "'gret'",
    ),
    "no such argument": (
        BEHAVIOR + "behav.add_transit('init', 'init', 'greet', {'hwo': 1})\n",
        3,
        "UL022",
        "has no argument 'hwo'",
        "'hwo'",
    ),
    "the same twice": (
        BEHAVIOR + "for _ in 'ab':\n    behav.add_transit('init', 'init', 'nop')\n",
        4,
        "UL027",
        "is there already",
        None,
    ),
    "an arrow": (BEHAVIOR + "behav << 'init -> init'\n", 3, "UL020", "an arrow is written", "'init -> init'"),
    "a time": (BEHAVIOR + "behav.add_transit('init', 'a', 'nop', delay=[])\n", 3, "UL020", "number of seconds", None),
    "assign_role": (
        WORLD.replace('"teacher" if', '"techer" if'),
        3,
        "UL030",
        "assign_role returns 'techer'",
        '"techer"',
    ),
    "an async rule": (
        WORLD.replace("def assign", "async def assign"),
        2,
        "UL030",
        "cannot be an 'async def'",
        "assign_role",
    ),
    "a layout": (
        ROLE + "__slots__ = ('x',)\nasync def greet(self) -> bool: ...\n",
        1,
        "UL040",
        "no agent can become",
        None,
    ),
    "a schema": (
        "%%stats\n\nCUSTOM_WORLD_STATS_STATIC_SCHEMA = {'a': (set, 1)}\n",
        3,
        "UL050",
        "the stat 'a' is declared as",
        "'a'",
    ),
    "an event": ("%%event Said\ntext: str\nloud = True\n", 3, "UL060", "annotated names", "loud = True"),
    "a behavior file": (
        '%%behavior teacher --format json\n{"machine": \n  {"role": }}\n',
        3,
        "UL001",
        "not JSON",
        None,
    ),
}


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_what_is_wrong_is_told_at_the_line_of_the_learner(school: Notebook, case: str) -> None:
    cell, line, code, words, pointed = WRONG[case]
    printed = school.run(cell, fails=True)
    found = school.registry.error
    assert found is not None
    first = found.diagnostics[0]
    assert (first.code, first.line, first.severity) == (code, line, "error"), printed
    assert words in first.message
    assert f"error {code} in " in printed and f"{line:>5} | {cell.splitlines()[line - 1]}" in printed
    assert "Traceback" not in printed and "site-packages" not in printed
    if pointed is not None:
        assert caret(printed) == pointed


WARNED = {
    "no annotation": (ROLE + "async def greet(self, who: str = ''):\n    return True\n", 2, "UL011", "greet"),
    "an unknown name": (ROLE + "async def greet(self, who: str = '') -> bool:\n    return Ture\n", 3, "UL003", "Ture"),
    "a role to come": (WORLD.replace('"student"', '"janitor"'), 3, "UL030", '"janitor"'),
    "unreachable": (
        BEHAVIOR + "behav.add_transit('init', 'init', 'nop')\nbehav.add_state('attic', msg='up')\n",
        4,
        "UL023",
        "'attic'",
    ),
    "a dead end": (BEHAVIOR + "behav.add_transit('init', 'cellar', 'nop')\n", 3, "UL024", "'cellar'"),
    "a wildcard": (BEHAVIOR + "behav.add_transit('init', 'init', 'greet', {'who': '<whom>'})\n", 3, "UL025", None),
    "never asked": (
        BEHAVIOR
        + "behav.add_transit('init', 'init', 'nop')\nbehav.add_transit('init', 'init', 'greet', ready=False)\n",
        4,
        "UL026",
        "'greet'",
    ),
}


@pytest.mark.parametrize("case", WARNED, ids=str)
def test_what_is_doubtful_is_taken_and_told(school: Notebook, case: str) -> None:
    cell, line, code, pointed = WARNED[case]
    printed = school.run(cell)
    assert re.search(rf"warning {code} in \w+ \w+, line {line}: ", printed), printed
    if pointed is not None:
        assert caret(printed) == pointed
    assert "version 2" in printed


def test_the_nearest_names_are_given(school: Notebook) -> None:
    printed = school.run(BEHAVIOR + "behav.add_transit('init', 'init', 'gret')\n", fails=True)
    assert "Did you mean 'greet'" in printed


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%%role", "the following arguments are required: name"),
        ("%%role teacher --wrld X", "unrecognized arguments"),
        ("%%role teacher --world Shool", "there is no world 'Shool'. Did you mean 'School'?"),
        ("%%role teacher --base Nobody", "--base Nobody: there is no such class"),
        ("%%action techer", "there is no role 'techer' in the world School. Did you mean 'teacher'?"),
        ("%%behavior janitor", "there is no role 'janitor' in the world School. Known: student, teacher."),
        ("%%behavior teacher --from nowhere.json", "--from nowhere.json: No such file"),
        ("%lab undo techer", "nothing is called 'techer'. Did you mean 'teacher'"),
        ("%lab sow", "%lab has no command 'sow'. Did you mean 'show'"),
        ("%lab show teacher --yaml", "--python or --json"),
        ("%lab rename a", "takes two names"),
    ],
)
def test_a_magic_used_wrongly_is_one_line(school: Notebook, cell: str, words: str) -> None:
    printed = school.run(cell + ("\nx = 1\n" if cell.startswith("%%") else ""), fails=True)
    assert printed.startswith("UsageError: ") and words in printed
    assert len(printed.strip().splitlines()) <= 1


def test_errors_while_running_name_the_cells_own_line(school: Notebook) -> None:
    school.run(TEACHER.replace("    self.greeted", "    1 / 0\n    self.greeted"), SESSION)
    from unaiverse_lab.core.records import Fault

    found = school["s"].trace.of_kind(Fault)[0]
    assert found.where is not None and found.where.endswith(":3") and found.code == "1 / 0"


def test_the_traceback_behind_an_error_can_be_seen(school: Notebook) -> None:
    school.run(ROLE + "x = 1 / 0\n", fails=True)
    assert "ZeroDivisionError: division by zero" in school.run("%lab explain")


def test_checking_only_takes_nothing(school: Notebook) -> None:
    printed = school.run(TEACHER.replace("teacher\n", "teacher --check-only\n").replace("+ 1", "+ 2"))
    assert "role teacher: checked, and not taken" in printed
    assert school.registry.version("role", "teacher") == 1


# ---------------------------------------------------------------------- what is taken


def test_an_entry_says_what_it_is(school: Notebook) -> None:
    entry = school.registry.find("role:teacher")[0]
    now = entry.current
    assert now is not None
    assert (now.kind, now.name, now.world, now.version, now.status) == ("role", "teacher", "School", 1, "ok")
    assert now.source == TEACHER and now.object is school["Teacher"] and now.execution_count
    assert len(now.digest) == len(now.code_hash) == 64 and now.cell_id is None
    school.run(TEACHER.replace("+ 1", "+ 2"))
    assert [one.version for one in entry.versions] == [1, 2] and entry.versions[0].source == TEACHER


def test_every_async_def_of_a_role_is_an_action_but_hooks_and_private_ones(school: Notebook) -> None:
    school.run("""%%role janitor
async def sweep(self) -> bool:
    return True

async def on_tick(self):
    pass

async def _hidden(self):
    pass

def plain(self):
    return 1
""")
    cls = school["Janitor"]
    marked = [
        name for name in ("sweep", "on_tick", "_hidden", "plain") if getattr(getattr(cls, name), "_is_action", False)
    ]
    assert marked == ["sweep"]
    assert issubclass(cls, lab.Agent)


def test_a_role_with_an_underscore_and_a_base_of_the_notebook(school: Notebook) -> None:
    school.run("class Base(lab.Agent):\n    @lab.action\n    async def wait(self) -> bool:\n        return True")
    school.run("%%role student_isolated --base Base\nasync def think(self) -> bool:\n    return await super().nop()\n")
    assert issubclass(school["StudentIsolated"], school["Base"])
    assert school.registry.actions("student_isolated")[:2] == ["think", "wait"]


def test_what_comes_before_the_world_belongs_to_the_first_one(book: Notebook) -> None:
    book.run(TEACHER, TEACHING, STUDENT, LEARNING)
    assert book.registry.worlds() == []
    book.run(WORLD, SESSION)
    assert book["s"].world.roles.custom == ["student", "teacher"]
    assert "nothing keeps the worlds from running" in book.run("%lab check")


def test_of_several_worlds_the_one_defined_last_is_meant(school: Notebook) -> None:
    school.run("%%world Court\nx = 1\n", "%%role judge\nx = 1\n", "%%role pupil --world School\nx = 1\n")
    assert school.registry.names("Court", "role") == ["judge"]
    assert school.registry.names("School", "role") == ["teacher", "student", "pupil"]


def test_a_world_gives_its_sessions_delta_seed_and_masters(school: Notebook) -> None:
    school.run(
        WORLD.replace("--delta 0.1", "--delta 0.5 --seed 11"),
        "s = lab.Session(School)\nt = lab.Session(School(), seed=0)",
    )
    assert school["s"].synchronizer.clock.delta == 0.5
    assert (school["s"].synchronizer.seed, school["t"].synchronizer.seed) == (11, 0)
    assert school["s"].world.gate.masters == {"node-Tina"}


def test_the_machine_is_shown_when_it_is_new(school: Notebook) -> None:
    changed = TEACHING.replace("done", "end")
    assert "Out[" in school.run(changed) and "Out[" not in school.run(changed)
    assert "Out[" in school.run(changed.replace("teacher", "teacher --draw", 1))


def test_arrows_are_short_for_transitions(school: Notebook) -> None:
    school.run("""%%behavior teacher
behav << '''
    init --greet(who="all")--> done
    done --nop--> init
'''
""")
    edges = [(one.source, one.name, one.args, one.target) for one in school.registry.machine("teacher").machine.edges()]
    assert edges == [("init", "greet", {"who": "all"}, "done"), ("done", "nop", {}, "init")]


def test_a_behavior_file_can_be_pasted_or_named(school: Notebook, tmp_path: Path) -> None:
    text = school.registry.now("School", "behavior", "teacher").machine
    assert text is not None
    (tmp_path / "t.json").write_text(text.replace('"done"', '"over"'))
    school.run(f"%%behavior teacher --from {tmp_path}/t.json\n#")
    assert school.registry.states()["teacher"] == ["init", "over"]
    school.run("%%behavior teacher --format json\n" + text)
    assert school.registry.states()["teacher"] == ["init", "done"]
    printed = school.run("%%behavior teacher --format json\n" + text.replace('"greet"', '"gret"'), fails=True)
    assert "Teacher has no action 'gret'" in printed and caret(printed) == '"gret"'


ENTITY_CELLS = (
    "%%event Said\n'''Somebody spoke.'''\ntext: str\n",
    "%%event BellRings\n'''The break begins.'''\n",
    "from unaiverse_lab.events import BaseWorld, User, action",
    "%%entity Lamp --kind object\nlit = False\n\n@action(on=Said)\ndef hear(self, event):\n"
    "    self.lit = event.text == 'on'\n",
    "place, you = BaseWorld(id='w'), User()\nlamp = place.add(Lamp(id='lamp'))\nplace.add(you)\n"
    "going = place.launch()\nyou.send(Said(text='on'))\ngoing.run()",
)


def test_events_and_entities_are_classes_that_run(school: Notebook) -> None:
    printed = [school.run(cell) for cell in ENTITY_CELLS]
    assert "version 1" in printed[0] and 'event_type "said"' in printed[0] and 'event_type "bell_rings"' in printed[1]
    assert "version 1" in printed[3]
    assert school["lamp"].lit is True and school["Said"].description == "Somebody spoke."


def test_an_event_that_changes_leaves_those_who_know_the_one_before_at_work(school: Notebook) -> None:
    for cell in ENTITY_CELLS:
        school.run(cell)
    assert "version 2" in school.run("%%event Said\ntext: str\nloud: bool = False\n")
    school.run("you.send(Said(text='off', loud=True))\ngoing.run()")
    assert school["lamp"].lit is False
    assert [one.loud for one in school["place"].events if one.text == "off"] == [True]


# ---------------------------------------------------------------------- %lab


def test_lab_alone_says_what_there_is_and_what_to_do_next(book: Notebook) -> None:
    assert "nothing is defined yet" in book.run("%lab") and "%%world NAME" in book.printed
    book.run(WORLD)
    assert "%%role NAME" in book.run("%lab")
    book.run(TEACHER)
    assert "the role teacher has no behavior: %%behavior teacher" in book.run("%lab")
    book.run(*SCHOOL)
    assert "s = lab.Session(School)" in book.run("%lab")
    book.run(SESSION)
    assert "a session runs School: 2 agents, tick 2" in book.run("%lab status")


def test_show_gives_the_cell_the_class_or_the_file(school: Notebook) -> None:
    assert TEACHER in school.run("%lab show role:teacher")
    assert json.loads(school.run("%lab show teacher --json"))["machine"]["role"] == "teacher"
    printed = school.run("%lab show teacher --python")
    assert (
        '@lab.role("teacher", world=School)\nclass Teacher(lab.Agent):\n    @lab.action\n    async def greet('
        in printed
    )


def test_check_says_what_is_missing(book: Notebook) -> None:
    book.run("%%world School\nx = 1\n", TEACHER, TEACHING)
    assert "no rule to assign them" in book.run("%lab check")
    book.run(WORLD)
    assert "assign_role returns 'student', and there is no such role" in book.run("%lab check")


def test_reset_forgets_and_sessions_go_on(lesson: Notebook) -> None:
    lesson.run("%lab reset", "s.step(3)")
    assert "nothing is defined yet" in lesson.run("%lab status")


# ---------------------------------------------------------------------- one world in all its forms


def digest_of_folder(folder: Any) -> str:
    session = lab.load(folder, seed=7)
    session.step(400)
    return session.digest()


@pytest.fixture(scope="module")
def digest() -> str:
    return digest_of_folder("chat")


@pytest.fixture
def chat(book: Notebook) -> Notebook:
    book.shell.user_ns["talkers"] = chat_cells.talkers()
    book.run(*chat_cells.cells())
    return book


def test_cells_run_like_the_world_folder(chat: Notebook, digest: str) -> None:
    chat.run(chat_cells.SESSION)
    assert chat["s"].digest() == digest


def forms(chat: Notebook) -> str:
    names = ("Chat", "role:broadcaster", "role:user", "behavior:broadcaster", "behavior:user")
    return "\n\n".join(chat.run(f"%lab show {name} --python") for name in names)


def test_the_decorated_classes_it_prints_run_the_same_in_a_notebook(
    chat: Notebook, digest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = forms(chat)
    other = Notebook(capsys)
    other.shell.user_ns["talkers"] = chat_cells.talkers()
    other.run(chat_cells.cells()[0], text, chat_cells.SESSION)
    assert other["s"].digest() == digest
    assert other.registry.now("Chat", "role", "user").form == "python"
    assert forms(other).replace("def build", "def x") == text.replace("def build", "def x")


def test_and_in_plain_python(chat: Notebook, digest: str) -> None:
    names: dict[str, Any] = {"lab": lab, "talkers": chat_cells.talkers(), "__name__": "room"}
    exec(chat_cells.cells()[0] + forms(chat) + chat_cells.SESSION, names)
    assert names["s"].digest() == digest


def test_an_exported_folder_runs_the_same(chat: Notebook, digest: str, tmp_path: Path) -> None:
    printed = chat.run(f"%lab export {tmp_path}/room")
    assert "src/world.py" in printed and "run_w.py" in printed
    session = lab.Session(seed=7)
    from unaiverse_lab.runtime.launch import gather

    (world,) = gather(tmp_path / "room", world_only=True)
    assert world.clock_delta == 0.05
    session.add(world)
    chat.shell.user_ns["lab_session"] = session
    lines = chat_cells.SESSION.replace('s = lab.Session(Chat, seed=7, name="ChatRoom")', "s = lab_session")
    chat.run(lines)
    renamed = [str(record).replace("'Chat'", "'ChatRoom'") for record in session.trace]
    original = lab.load("chat", seed=7)
    original.step(400)
    assert renamed == [str(record) for record in original.trace]


def test_an_imported_folder_runs_the_same(book: Notebook, digest: str) -> None:
    book.run("%lab import chat")
    book.shell.user_ns["talkers"] = chat_cells.talkers()
    book.run(chat_cells.SESSION.replace("lab.Session(Chat,", "lab.Session(ChatRoom,"))
    assert book["s"].digest() == digest
    assert "class WAgent(Agent):" in book.run("%lab show role:user")


def test_what_cannot_be_written_is_said(school: Notebook, tmp_path: Path) -> None:
    school.run("door = open('/dev/null')", TEACHER.replace("self.greeted =", "self.door = door; self.greeted ="))
    assert "role teacher uses door, a TextIOWrapper, which no file can hold" in school.run(
        f"%lab export {tmp_path}", fails=True
    )


def test_helpers_and_constants_of_other_cells_are_exported(school: Notebook, tmp_path: Path) -> None:
    school.run("import math\nLIMIT = 3\ndef half(x):\n    return math.floor(x / 2) + LIMIT\n")
    school.run(TEACHER.replace("+ 1", "+ half(4)"), "%%stats\nCUSTOM_WORLD_STATS_STATIC_SCHEMA = {'n': (int, 0)}\n")
    school.run(f"%lab export {tmp_path}/room")
    session = lab.load(tmp_path / "room", seed=3)
    session.add(lab.Agent(), "Ann")
    session.step(3)
    assert session.agent("Tina").greeted == 5 and session.world.stats.get_last_value("n") == 0


def test_a_world_can_keep_its_folder_up_to_date(school: Notebook, tmp_path: Path) -> None:
    school.run(WORLD.replace("School", f"School --folder {tmp_path}/room", 1))
    assert "self.greeted" in (tmp_path / "room" / "src" / "teacher.py").read_text()
    school.run("%%action teacher\nasync def praise(self) -> bool:\n    return True\n")
    assert "async def praise" in (tmp_path / "room" / "src" / "teacher.py").read_text()
    school.run("door = open('/dev/null')", TEACHER.replace("self.greeted =", "self.door = door; self.greeted ="))
    assert "is not up to date: role teacher uses door" in school.printed


# ---------------------------------------------------------------------- outside a notebook


def test_outside_a_notebook_a_role_names_the_class_of_its_world() -> None:
    with pytest.raises(WorldError, match="say to which world it belongs, by its class"):
        lab.role("teacher")(type("Teacher", (lab.Agent,), {}))
    with pytest.raises(WorldError, match="stands above a class"):
        lab.world(lambda: None)


def test_declarations_are_inherited_by_subclasses_only() -> None:
    @lab.world(delta=0.5)
    class One(lab.World):
        def assign_role(self, profile: Any, is_world_master: bool) -> str:
            return "a"

    @lab.role("a", world=One)
    class A(lab.Agent):
        pass

    @lab.behavior("a", world=One)
    def build(behav: Any, world: Any) -> None:
        behav.add_state(world.__name__)

    class Two(One):
        pass

    @lab.role("b", world=Two)
    class B(lab.Agent):
        pass

    lab.behavior("b", world=Two)(build)
    assert lab.Session(One).world.roles.custom == ["a"]
    session = lab.Session(Two)
    assert session.world.roles.custom == ["a", "b"] and session.synchronizer.clock.delta == 0.5
    assert '"Two"' in session.world.role_to_behav["a"]


def test_a_definition_error_is_an_error_like_others_in_plain_python() -> None:
    error = DefinitionError("role x", [], "")
    assert isinstance(error, lab.core.errors.LabError) and error._render_traceback_() == []


def test_what_the_manual_shows_runs(book: Notebook) -> None:
    manual = Path(__file__).parents[2] / "docs" / "cells.md"
    *blocks, error = re.findall(r"```(?:python)?\n(.*?)```", manual.read_text(encoding="utf-8"), re.S)
    for block in blocks:
        book.run(block)
    assert len(blocks) == 7
    printed = book.run(
        "%%behavior student\nbehav.add_state('init')\n" + error.splitlines()[1].partition("| ")[2], fails=True
    )
    assert printed.startswith("\n".join(error.splitlines()[:3]))


# ---------------------------------------------------------------------- a notebook


@pytest.mark.notebook
def test_a_notebook_runs_without_a_front_end(tmp_path: Path) -> None:
    cells = [
        "seed = 0",
        "import unaiverse_lab as lab\nfrom unaiverse_lab.notebook import result",
        *SCHOOL,
        SESSION,
        TEACHER.replace("+ 1", "+ 10"),
        "s.step(4)",
        "%lab status",
        "names = [r.name for r in s.trace if r.kind == 'redefine']\n"
        "result(greeted=s.agent('Tina').greeted, digest=s.digest(), redefined=names)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, tmp_path / "a.ipynb")
    results = []
    for name in ("b.ipynb", "c.ipynb"):
        execute_notebook(tmp_path / "a.ipynb", tmp_path / name, {"seed": 3})
        results.append(read_result(json.loads((tmp_path / name).read_text(encoding="utf-8"))))
    assert results[0] == results[1]
    assert results[0]["redefined"] == ["teacher"] and results[0]["greeted"] > 10
    outputs = json.loads((tmp_path / "b.ipynb").read_text(encoding="utf-8"))["cells"][-4]["outputs"]
    assert "".join(outputs[0]["text"]).startswith("role teacher: version 2 in the world School")


@pytest.mark.notebook
def test_a_broken_cell_stops_a_notebook_with_its_diagnostic(tmp_path: Path) -> None:
    from unaiverse_lab.notebook.execution import CellFailed

    cells = ["import unaiverse_lab as lab", WORLD, "%%role teacher\nasync def a(self, delay: int) -> bool: ...\n"]
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), tmp_path / "a.ipynb"
    )
    with pytest.raises(CellFailed, match="DefinitionError: error UL012 in role teacher, line 2"):
        execute_notebook(tmp_path / "a.ipynb", tmp_path / "b.ipynb")


def test_loading_the_extension_loads_no_engine() -> None:
    program = (
        "import sys\nfrom IPython.core.interactiveshell import InteractiveShell\nimport unaiverse_lab\n"
        "unaiverse_lab.load_ipython_extension(InteractiveShell())\n"
        "print(*[name for name in sys.modules if name.startswith('unaiverse_lab.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not any("runtime" in name or "agents" in name for name in done.stdout.split())
