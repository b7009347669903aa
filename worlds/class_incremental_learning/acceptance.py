"""What must come out of a run: CIL-1 to CIL-4 of the gallery."""

from typing import Any

from unaiverse_lab import Session
from unaiverse_lab.core.records import Badge, Completed, Pushed, Said

TEACHER, PLAIN, PROTOTYPE = "Test1", "Plain", "Prototype"
STUDENTS = [PLAIN, PROTOTYPE]
CLASSES, TAUGHT, ASKED = 10, 50, 20


def UNTIL(session: Session) -> bool:
    """The course was held, and the world has all the marks."""
    return getattr(session.agent(TEACHER), "courses", 0) > 0 and len(marks(session, PROTOTYPE)) == len(exams(session))


def checks(session: Session) -> list[tuple[str, bool, str]]:
    """What is expected, whether it holds, what was found."""
    taught = [f"teach_{digit}" for digit in range(CLASSES)]
    expected = exams(session)
    shown = {student: served(session, student) for student in STUDENTS}
    lessons = [[(what, count) for action, what, count in one if action == "learn"] for one in shown.values()]
    asked = [[count for action, _, count in one if action == "process"] for one in shown.values()]

    plain, prototype = marks(session, PLAIN), marks(session, PROTOTYPE)
    newest = min(per_class[-1] for _, per_class in plain)
    earlier = max(sum(per_class[:-1]) / max(len(per_class) - 1, 1) for _, per_class in plain)
    table = last_table(session)

    stats = session.world.stats
    best = max(accuracy for accuracy, _ in (*plain, *prototype))
    champions = [r for r in session.trace.of_kind(Badge) if r.awarded and r.description.endswith("champion!")]
    return [
        (
            f"CIL-1 {CLASSES} lessons in order, {TAUGHT} pictures each",
            lessons == [[(group, TAUGHT) for group in taught]] * len(STUDENTS),
            ", ".join(f"{len(one)} lessons" for one in lessons),
        ),
        (
            f"CIL-1 exams of {', '.join(map(str, expected))}",
            asked == [expected] * len(STUDENTS),
            f"{len(asked[0])} exams",
        ),
        ("CIL-2 Plain knows the newest class (>= 0.9)", newest >= 0.9, f"at least {newest:.2f}"),
        ("CIL-2 Plain forgets the earlier ones (<= 0.2)", earlier <= 0.2, f"at most {earlier:.2f}"),
        ("CIL-2 Plain at the end (<= 0.2)", plain[-1][0] <= 0.2, f"{plain[-1][0]:.2f}"),
        (
            "CIL-3 both are marked in every exam",
            len(plain) == len(prototype) == len(expected),
            f"{len(plain)} and {len(prototype)} times",
        ),
        ("CIL-3 Prototype at the end (>= 0.75)", prototype[-1][0] >= 0.75, f"{prototype[-1][0]:.2f}"),
        (
            "CIL-3 the table has a row per student, a column per class",
            [row[0] for row in table[1:]] == STUDENTS and {len(row) for row in table[1:]} == {1 + CLASSES + 1},
            f"{len(table) - 1} rows",
        ),
        (
            "CIL-4 a champion, with the best accuracy of all",
            bool(champions) and stats.get_last_value("overall_best_accuracy") == best == champions[-1].score,
            f"{stats.get_last_value('overall_best_student')}: {best:.2f}",
        ),
    ]


def exams(session: Session) -> list[int]:
    """How many pictures each exam has, as the behavior of the teacher says."""
    every = session.agent(TEACHER).behav.states["brainstorm"].action.args["exam_every"]
    after = [taught for taught in range(1, CLASSES + 1) if taught % every == 0 or taught == CLASSES]
    return [taught * ASKED for taught in after]


def served(session: Session, student: str) -> list[tuple[str, str, int]]:
    """Lessons and exams a student was given: the action, the group of streams, how many pictures."""
    pictures: dict[str, list[str]] = {}
    for record in session.trace.of_kind(Pushed):
        if (record.node, record.owner) == (student, TEACHER) and record.stream.startswith("images@"):
            pictures.setdefault(record.uuid, []).append(record.stream.removeprefix("images@"))
    done = [r for r in session.trace.of_kind(Completed) if (r.node, r.side, r.reason) == (student, "received", "ok")]
    return [(r.action, pictures[r.uuid][0], len(pictures[r.uuid])) for r in done]


def marks(session: Session, student: str) -> list[tuple[float, list[float]]]:
    """What the world knows of a student, exam by exam: the accuracy on the whole and in each class."""
    known: dict[str, Any] = session.world.stats.get_view(0)["peers"].get(student, {})
    per_class = [dict(known.get(f"peer_acc_per_class_{digit}", [])) for digit in range(CLASSES)]
    return [(value, [one[time] for one in per_class if time in one]) for time, value in known.get("accuracy", [])]


def last_table(session: Session) -> list[list[str]]:
    """The last table the teacher printed: its lines, each cut into cells."""
    said = [r.text for r in session.trace.of_kind(Said) if r.node == TEACHER]
    start = max((place for place, text in enumerate(said) if text.startswith("exam-")), default=len(said))
    return [[cell.strip(".") for cell in text.split()] for text in said[start:]] or [[]]
