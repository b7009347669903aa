"""What must come out of a run: CAT-1 to CAT-3 of the gallery. It ends by itself when the teacher has judged."""

from collections import Counter

from unaiverse_lab import Session
from unaiverse_lab.core.records import Completed, Moved, Pushed

LESSON = ["student_finished_following", "change_lecture"]
EXAM = ["exam_time", "student_finished_exam", "eval_time"]


def checks(session: Session) -> list[tuple[str, bool, str]]:
    """What is expected, whether it holds, what was found."""
    trace, teacher, world = session.trace, session.agent("Test1"), session.world
    done = [r.action for r in trace.of_kind(Completed) if (r.node, r.side, r.reason) == ("Test1", "sent", "ok")]
    answers = Counter(r.uuid for r in trace.of_kind(Pushed) if (r.node, r.owner) == ("Test1", "Test2"))
    lessons, exams = done.count("learn"), done.count("process")
    visited = [r.target for r in trace.of_kind(Moved) if r.node == "Test1"]
    taught = visited[visited.index("begin_teaching") + 1 :]
    expected = [*[*LESSON, "begin_teaching"] * (world.repeat - 1), *LESSON, *EXAM, "good"]
    error = teacher.comparisons["Test2"].error
    answered = " ".join(value for _, value in list(teacher.answers["Test2"].values())[-1]["proc_output_0"])
    poem = " ".join(sample.value for sample in world.owned_streams["cats"])
    return [
        (
            f"CAT-1 {world.repeat} lessons and one exam of {world.steps} words",
            (lessons, exams) == (world.repeat, 1) and list(answers.values()) == [world.steps] * (world.repeat + 1),
            f"{lessons} lessons, {exams} exam, {sum(answers.values())} answers",
        ),
        ("CAT-1 the teacher goes from lesson to lesson to exam", taught == expected, f"{len(taught)} steps"),
        ("CAT-2 the student passes (error <= 0.05)", error <= 0.05, f"error {error:.3f}, {teacher.behav.state}"),
        ("CAT-3 it says the poem by heart", answered == poem, f"{answered[:40]} ..."),
    ]
