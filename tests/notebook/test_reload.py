"""Cells executed again while the world runs: what stays, what moves, what is refused."""

from __future__ import annotations

import pytest
from shells import LEARNING, SCHOOL, SESSION, STUDENT, TEACHER, TEACHING, WORLD, Notebook

from unaiverse_lab.core.records import BehaviorSet, Completed, Moved, Redefined


def redefined(book: Notebook) -> list[tuple[str, str, int, int]]:
    return [(one.what, one.name, one.before, one.after) for one in book["s"].trace.of_kind(Redefined)]


# ---------------------------------------------------------------------- actions


def test_a_new_body_is_used_from_the_next_call_on_and_everything_else_stays(lesson: Notebook) -> None:
    tina = lesson.agent("Tina")
    cls, machine, state, greeted = type(tina), tina.behav.machine, tina.behav.state, tina.greeted
    printed = lesson.run("""%%action teacher
async def greet(self, who: str = "you") -> bool:
    self.greeted += 100
    return True
""")
    assert "action teacher.greet: version 1" in printed
    assert type(tina) is cls and tina.behav.machine is machine and tina.behav.state == state
    lesson.run("s.step(2)")
    assert tina.greeted == greeted + 100
    assert redefined(lesson) == [("action", "teacher.greet", 0, 1)]


def test_a_signature_that_does_not_take_what_transitions_give_is_refused(lesson: Notebook) -> None:
    greeted = lesson.agent("Tina").greeted
    printed = lesson.run(
        '%%action teacher\n\nasync def greet(self, name: str = "") -> bool:\n    return 1/0\n', fails=True
    )
    assert "error UL040 in action teacher, line 3: action 'greet' has no argument 'who'." in printed or (
        "error UL040 in action teacher.greet, line 3: action 'greet' has no argument 'who'." in printed
    )
    assert "Did you mean" not in printed or "'name'" in printed
    lesson.run("s.step(4)")
    assert lesson.agent("Tina").greeted > greeted
    assert redefined(lesson) == []


PATIENT = """%%role teacher
async def greet(self, who: str = "you") -> bool:
    self.steps = [*getattr(self, "steps", []), "{}"]
    return {}
"""
PATIENCE = """%%behavior teacher
behav.add_state("init")
behav.add_transit("init", "done", "greet", {"who": "all"}, retry_timeout=100.0)
"""


def test_a_pending_action_goes_on_with_the_new_body(book: Notebook) -> None:
    book.run(WORLD, PATIENT.format("old", False), PATIENCE, STUDENT, LEARNING, SESSION)
    tina = book.agent("Tina")
    assert tina.behav.get_action_name() == "greet" and tina.steps[-1] == "old"
    run = tina.behav._run
    printed = book.run("""%%action teacher
async def greet(self, who: str = "you") -> bool:
    self.steps.append("new")
    return True
""")
    assert "Tina is in the middle of greet, and goes on with the new one" in printed
    assert tina.behav._run is run
    book.run("s.step()")
    assert tina.steps[-2:] == ["old", "new"] and tina.behav.state == "done"


def test_an_action_with_steps_keeps_its_step(book: Notebook) -> None:
    steps = TEACHING.replace('{"who": "all"}', '{"who": "all", "num_steps": 6}')
    book.run(WORLD, PATIENT.format("old", True), steps, STUDENT, LEARNING, SESSION)
    tina = book.agent("Tina")
    done = tina.behav.get_action_step_idx()
    assert done >= 0
    book.run(PATIENT.format("new", True).replace("%%role teacher", "%%action teacher"))
    assert tina.behav.get_action_step_idx() == done
    book.run("s.step()")
    assert tina.behav.get_action_step_idx() == done + 1
    assert tina.steps == ["old"] * (done + 1) + ["new"]


def test_a_pending_action_can_be_abandoned(book: Notebook) -> None:
    book.run(WORLD, PATIENT.format("old", False), PATIENCE, STUDENT, LEARNING, SESSION)
    tina = book.agent("Tina")
    printed = book.run("""%%action teacher --fresh
async def greet(self, who: str = "you") -> bool:
    return False
""")
    assert "Tina was in the middle of greet, and has abandoned it" in printed
    assert tina.behav.state == "init" and tina.behav.get_action_name() is None


def test_an_abandoned_request_is_discarded_and_its_requester_told(book: Notebook) -> None:
    slow = STUDENT.replace("return True\n", "return True\n").replace(
        '    self.answered = getattr(self, "answered", 0) + 1\n    return True', "    return False"
    )
    learning = LEARNING.replace('"ready", "answer")', '"ready", "answer", retry_timeout=50.0)')
    teaching = """%%behavior teacher
behav.add_state("init")
behav.add_transit("init", "met", "connect_by_role", {"role": "student"})
behav.add_transit("met", "asked", "send", {"target": "Ann", "action_name": "answer"}, ready=True)
"""
    book.run(WORLD, TEACHER, teaching, slow, learning, SESSION, "s.step(10)")
    ann = book.agent("Ann")
    assert ann.behav.get_action_name() == "answer"
    book.run("""%%action student --fresh
async def answer(self, interaction: lab.Interaction = None) -> bool:
    return True
""")
    assert ann.behav.state == "ready"
    book.run("s.step(3)")
    ends = [(one.node, one.reason) for one in book["s"].trace.of_kind(Completed) if one.action == "answer"]
    assert ends == [("Ann", "discarded"), ("Tina", "discarded")]


# ---------------------------------------------------------------------- roles


def test_agents_of_a_role_switch_to_its_new_class_and_keep_what_they_have(lesson: Notebook) -> None:
    tina, ann = lesson.agent("Tina"), lesson.agent("Ann")
    old, greeted, state = type(tina), tina.greeted, tina.behav.get_state_name(True)
    printed = lesson.run(TEACHER.replace("+ 1", "+ 10").replace("async", "praise = 7\n\nasync", 1))
    assert "Tina: switched, state kept" in printed
    assert type(tina) is lesson["Teacher"] is not old and type(ann) is lesson["Student"]
    assert (tina.greeted, tina.praise, tina.behav.get_state_name(True)) == (greeted, 7, state)
    lesson.run("s.step(2)")
    assert tina.greeted == greeted + 10
    assert redefined(lesson) == [("role", "teacher", 1, 2)]


def test_attributes_of_a_new_constructor_get_their_first_value(lesson: Notebook) -> None:
    tina = lesson.agent("Tina")
    tina.notes = ["kept"]
    lesson.run(
        TEACHER.replace(
            "async",
            """def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self.notes, self.marks = [], {}

async""",
            1,
        )
    )
    assert tina.notes == ["kept"] and tina.marks == {}


def test_agents_can_start_over(lesson: Notebook) -> None:
    tina = lesson.agent("Tina")
    lesson.run("s.step()" if tina.behav.state == "init" else "pass")
    assert tina.behav.state == "done"
    printed = lesson.run(TEACHER.replace("%%role teacher", "%%role teacher --fresh").replace("+ 1", "+ 2"))
    assert "Tina: started over" in printed
    assert tina.behav.state == "init"


def test_a_class_that_no_agent_can_become_is_refused(lesson: Notebook) -> None:
    old = type(lesson.agent("Tina"))
    printed = lesson.run(TEACHER.replace("async", '__slots__ = ("marks",)\n\nasync', 1), fails=True)
    assert "no agent can become a Teacher" in printed and "without __slots__" in printed
    lesson.run("s.step(2)")
    assert type(lesson.agent("Tina")) is old is lesson["Teacher"]


def test_a_class_that_lacks_an_action_in_use_is_refused_while_agents_use_it(lesson: Notebook) -> None:
    printed = lesson.run("%%role teacher\nasync def praise(self) -> bool:\n    return True\n", fails=True)
    assert "error UL040 in role teacher, line 1: Teacher has no action 'greet'." in printed
    assert "change the behavior first" in printed


def test_without_agents_it_is_taken_and_the_behavior_is_stale(school: Notebook) -> None:
    printed = school.run("%%role teacher\nasync def praise(self) -> bool:\n    return True\n")
    assert "warning UL040" in printed
    assert "teacher  1        stale" in school.run("%lab status")
    assert "behavior teacher: uses actions that are gone" in school.run("%lab check")
    school.run(TEACHING.replace('"greet", {"who": "all"}', '"praise"'))
    assert "stale" not in school.run("%lab status")


def test_actions_of_other_cells_stay_when_the_class_is_defined_again(lesson: Notebook) -> None:
    lesson.run("%%action teacher\nasync def praise(self) -> bool:\n    return await super().nop()\n")
    lesson.run(TEACHER.replace("+ 1", "+ 2"))
    assert lesson["Teacher"].praise is type(lesson.agent("Tina")).praise
    lesson.run(TEACHING.replace('"nop"', '"praise"'), "s.step(4)")
    assert "praise" in [one.action for one in lesson["s"].trace.of_kind(Moved)]


# ---------------------------------------------------------------------- behaviors


def test_agents_stay_in_a_state_that_still_exists(lesson: Notebook) -> None:
    tina = lesson.agent("Tina")
    state, since = tina.behav.get_state_name(True), tina.behav._entered_at
    printed = lesson.run(TEACHING + 'behav.add_transit("done", "init", "greet", delay=99.0)\n')
    assert "behavior teacher: version 2" in printed and "Tina:" not in printed
    assert (tina.behav.get_state_name(True), tina.behav._entered_at) == (state, since)
    assert len(list(tina.behav.machine.edges())) == 3
    assert redefined(lesson) == [("behavior", "teacher", 1, 2)]
    last = lesson["s"].trace.of_kind(BehaviorSet)[-1]
    assert last.role == "teacher" and '"delay": 99.0' in last.machine


GONE = """%%behavior student{}
behav.add_state("start")
behav.add_transit("start", "ready{}", "listen", delay=50.0)
behav.add_transit("ready{}", "ready{}", "answer")
"""


@pytest.mark.parametrize(
    ("option", "state", "enabled", "told"),
    [
        ("", "start", True, "Ann: was in ready, is in start now"),
        (" --on-missing initial", "start", True, "Ann: was in ready, is in start now"),
        (" --on-missing pause", "start", False, "Ann: was in ready, is in start now, is switched off"),
        (" --on-missing keep-old", "ready", True, "Ann: keeps the old behavior, which has ready"),
    ],
)
def test_agents_in_a_state_that_is_gone(lesson: Notebook, option: str, state: str, enabled: bool, told: str) -> None:
    ann = lesson.agent("Ann")
    assert ann.behav.state == "ready"
    printed = lesson.run(GONE.format(option, 2, 2, 2))
    assert told in printed
    assert (ann.behav.state, ann.behav.enabled) == (state, enabled)
    lesson.run("s.step(2)")
    assert ann.behav.state == state


def test_agents_in_a_renamed_state_stay_in_it(lesson: Notebook) -> None:
    assert "student" in lesson.run("%lab rename ready at_ease")
    printed = lesson.run(LEARNING.replace('"ready"', '"at_ease"'))
    assert "was in ready, is in at_ease now" in printed
    assert lesson.agent("Ann").behav.state == "at_ease"


ASKING = """%%behavior teacher
behav.add_state("init")
behav.add_transit("init", "met", "connect_by_role", {"role": "student"})
behav.add_transit("met", "asked", "send", {"target": "Ann", "action_name": "answer"}, ready=True)
"""
BUSY = """%%behavior student
behav.add_state("init")
behav.add_transit("init", "ready", "listen")
behav.add_state("ready", waiting_time=0.0)
behav.add_transit("ready", "ready", "answer", delay=5.0)
"""


def waiting(book: Notebook) -> list[str]:
    return [request.action_name for _, request in book.agent("Ann").behav.pending_requests()]


def test_requests_wait_on_where_the_same_transition_is_still_there(book: Notebook) -> None:
    book.run(WORLD, TEACHER, ASKING, STUDENT, BUSY, SESSION, "s.step(10)")
    assert waiting(book) == ["answer"]
    printed = book.run(
        BUSY.replace("delay=5.0", "delay=0.0") + 'behav.add_transit("ready", "init", "nop", delay=99.0)\n'
    )
    assert "discarded" not in printed
    assert waiting(book) == ["answer"]
    book.run("s.step(4)")
    assert book.agent("Ann").answered == 1


def test_requests_for_transitions_that_are_gone_are_discarded(book: Notebook) -> None:
    book.run(WORLD, TEACHER, ASKING, STUDENT, BUSY, SESSION, "s.step(10)")
    printed = book.run(BUSY.replace('"answer"', '"nop"'))
    assert "Ann: 1 waiting request discarded" in printed
    assert waiting(book) == []
    book.run("s.step(3)")
    ends = [(one.node, one.reason) for one in book["s"].trace.of_kind(Completed) if one.action == "answer"]
    assert ends == [("Ann", "discarded"), ("Tina", "discarded")]


def test_a_broken_behavior_leaves_the_old_one_running(lesson: Notebook) -> None:
    machine = lesson.agent("Tina").behav.machine
    lesson.run(TEACHING.replace('"greet"', '"greeet"'), fails=True)
    lesson.run("s.step(2)")
    assert lesson.agent("Tina").behav.machine is machine
    assert redefined(lesson) == []
    assert "broken (version 1 is in place)" in lesson.run("%lab status")
    lesson.run(TEACHING)
    assert "broken" not in lesson.run("%lab status")


# ---------------------------------------------------------------------- worlds, statistics, events


def test_methods_of_a_world_are_replaced_and_members_stay(lesson: Notebook) -> None:
    world = lesson["s"].world
    roster = dict(world.roster)
    printed = lesson.run(WORLD.replace('"teacher" if is_world_master else "student"', '"student"'))
    assert "s.reassign() asks it again" in printed
    assert lesson["s"].world is world and type(world) is lesson["School"] and world.roster == roster
    lesson.run('s.add(lab.Agent(), "Tom", master=True)', "s.step(2)")
    assert world.get_role("Tom") == "student" and world.get_role("Tina") == "teacher"
    lesson.run("moved = s.reassign()", "s.step(2)")
    assert lesson["moved"] == ["Tina: teacher -> student"]
    assert type(lesson.agent("Tina")) is lesson["Student"]
    assert lesson["s"].reassign() == []


def test_asking_again_counts_masters_in_the_order_of_joining(lesson: Notebook) -> None:
    lesson.run('s.add(lab.Agent(), "Tom", master=True)', "s.step(2)")
    first = 'return "teacher" if is_world_master and len(self.world_masters) <= 1 else "student"'
    lesson.run(WORLD.replace('return "teacher" if is_world_master else "student"', first), "moved = s.reassign()")
    assert lesson["moved"] == ["Tom: teacher -> student"]
    world = lesson["s"].world
    assert list(world.world_masters) == ["Tina", "Tom"] and list(world.all_agents) == ["Tina", "Ann", "Tom"]


STATS = '%%stats\nCUSTOM_WORLD_STATS_DYNAMIC_SCHEMA = {{"lessons": ({}, 0), {}}}\n'


def test_statistics_get_new_names_and_keep_their_series(school: Notebook) -> None:
    school.run(STATS.format("int", '"noise": (float, 0.0)'), SESSION)
    stats = school["s"].world.stats
    stats.store_stat("lessons", 4, None, 100)
    stats.store_stat("noise", 0.5, None, 100)
    printed = school.run(STATS.format("int", '"songs": (int, 0)'))
    assert "new: songs" in printed and "kept, but not shown any more: noise" in printed
    stats = school["s"].world.stats
    assert stats.get_last_value("lessons") == 4 and stats.get_last_value("songs") == 0
    assert redefined(school) == [("stats", "stats", 1, 2)]
    school.run(STATS.format("int", '"noise": (float, 0.0)'))
    assert school["s"].world.stats.get_last_value("noise") == 0.5


def test_a_stat_of_another_type_is_refused_unless_that_is_meant(school: Notebook) -> None:
    school.run(STATS.format("int", ""), SESSION)
    printed = school.run(STATS.format("str", "").replace(", 0)", ', "")'), fails=True)
    assert "error UL040 in stats, line 2: the stat 'lessons' has values of another type already." in printed
    assert redefined(school) == []
    school.run(STATS.format("str", "").replace(", 0)", ', "")').replace("%%stats", "%%stats --migrate"))
    assert school["s"].world.stats.get_last_value("lessons") == ""


def test_of_events_the_last_definition_holds(lesson: Notebook) -> None:
    printed = lesson.run("%%event Said\ntext: str\n")
    assert "version 1 in the world" in printed and 'event_type "said"' in printed
    lesson.run("%%event Said\ntext: str\nloud: bool = False\n")
    entry = lesson.registry.find("Said")[0]
    assert entry.current.version == 2 and entry.current.options["fields"] == {"text": "str", "loud": "bool"}
    assert redefined(lesson) == []


# ---------------------------------------------------------------------- when it happens


def test_what_a_cell_defines_holds_from_the_next_tick_on_within_that_cell(lesson: Notebook) -> None:
    lesson.run("""
@lab.behavior("teacher")
def build(behav):
    behav.add_state("init")
    behav.add_transit("init", "other", "greet")
    behav.add_transit("other", "init", "nop")

before = [one.target for one in s.agent("Tina").behav.machine.edges()]
s.step()
after = [one.target for one in s.agent("Tina").behav.machine.edges()]
""")
    assert lesson["before"] == ["done", "init"] and lesson["after"] == ["other", "init"]


def test_a_cell_that_fails_takes_back_what_it_defined(lesson: Notebook) -> None:
    printed = lesson.run(
        """
@lab.behavior("teacher")
def build(behav):
    behav.add_state("elsewhere")
    behav.add_transit("elsewhere", "elsewhere", "greet")

1 / 0
""",
        fails=True,
    )
    assert "the cell failed, and what it defined is not taken: behavior teacher" in printed
    lesson.run("s.step()")
    assert "elsewhere" not in lesson.agent("Tina").behav.machine.states
    assert redefined(lesson) == []


def test_several_definitions_of_one_cell_are_checked_and_put_in_place_together(lesson: Notebook) -> None:
    lesson.run("""
@lab.role("teacher")
class Teacher(lab.Agent):
    @lab.action
    async def greet(self, who: str = "you") -> bool:
        return True

    @lab.action
    async def praise(self) -> bool:
        return True

@lab.behavior("teacher")
def build(behav):
    behav.add_state("init")
    behav.add_transit("init", "init", "praise")
""")
    assert [one[:2] for one in redefined(lesson)] == [("role", "teacher"), ("behavior", "teacher")]
    lesson.run("s.step(2)")
    assert lesson.agent("Tina").behav.get_last_completed_action_name() == "praise"


def test_the_same_text_again_changes_nothing(lesson: Notebook) -> None:
    machine = lesson.agent("Tina").behav.machine
    printed = lesson.run(TEACHER.replace("    return", "\n    # a remark\n    return"), TEACHING)
    assert printed == "role teacher unchanged (version 1)\nbehavior teacher unchanged (version 1)\n"
    assert lesson.agent("Tina").behav.machine is machine and redefined(lesson) == []


def test_undo_goes_the_same_way(lesson: Notebook) -> None:
    tina = lesson.agent("Tina")
    lesson.run(TEACHER.replace("+ 1", "+ 50"), "%lab undo role:teacher")
    greeted = tina.greeted
    lesson.run("s.step(2)")
    assert tina.greeted == greeted + 1
    lesson.run(TEACHER.replace("+ 1", "+ 70"))
    assert redefined(lesson) == [("role", "teacher", 1, 2), ("role", "teacher", 2, 1), ("role", "teacher", 1, 3)]
    assert "has no version before" in lesson.run("%lab undo behavior:teacher", fails=True)


def test_undoing_the_first_version_of_an_action_brings_back_that_of_the_class(lesson: Notebook) -> None:
    tina = lesson.agent("Tina")
    lesson.run(
        '%%action teacher\nasync def greet(self, who: str = "") -> bool:\n    return False\n', "%lab undo teacher.greet"
    )
    greeted = tina.greeted
    lesson.run("s.step(3)")
    assert tina.greeted > greeted


def test_a_scripted_redefinition_gives_the_same_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    digests = []
    for _ in range(2):
        book = Notebook(capsys)
        book.run(
            *SCHOOL, SESSION, TEACHER.replace("+ 1", "+ 5"), "s.step(5)", LEARNING + "behav << 'ready --listen--> init'"
        )
        book.run("s.step(5)")
        digests.append(book["s"].digest())
    assert digests[0] == digests[1]


def test_two_shells_share_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = Notebook(capsys), Notebook(capsys)
    one.run(*SCHOOL, SESSION)
    other.run(*SCHOOL, SESSION, TEACHER.replace("+ 1", "+ 9"))
    assert redefined(one) == [] and len(redefined(other)) == 1
    one.run("@lab.world\nclass Other(lab.World): ...")
    assert one.registry.worlds() == ["School", "Other"] and other.registry.worlds() == ["School"]


def test_two_sessions_of_one_world_both_get_it(lesson: Notebook) -> None:
    lesson.run(SESSION.replace("s = ", "t = ").replace("s.", "t."))
    lesson.run(TEACHER.replace("+ 1", "+ 2"))
    assert type(lesson["t"].agent("Tina")) is type(lesson["s"].agent("Tina")) is lesson["Teacher"]
    assert len(lesson["t"].trace.of_kind(Redefined)) == 1


def test_going_back_brings_back_classes_and_machines_and_executing_the_cell_again_puts_it_in_place_again(
    lesson: Notebook,
) -> None:
    tina, old = lesson.agent("Tina"), lesson["Teacher"]
    changed = TEACHER.replace("+ 1", "+ 10"), TEACHING.replace("done", "end")
    lesson.run("s.step(2)", *changed, "s.step(4)", "s.back(6)")
    assert type(tina) is old and "done" in tina.behav.machine.states and redefined(lesson) == []
    assert lesson.run("s.step()", *changed).count("version 2 in the world School") == 2
    assert type(tina) is lesson["Teacher"] is not old and "end" in tina.behav.machine.states
    assert redefined(lesson) == [("role", "teacher", 1, 2), ("behavior", "teacher", 1, 2)]
    assert lesson.run(*changed).count("unchanged") == 2
    greeted = tina.greeted
    lesson.run("s.step(2)")
    assert tina.greeted == greeted + 10
