"""What must come out of a run of two courses: SOC-1 to SOC-3 and SOC-5 of the gallery.

SOC-4, that students learn more from each other than the isolated one learns alone, holds on average over several runs.
"""

from src.digits import steps

from unaiverse_lab import Session
from unaiverse_lab.core.records import Badge, Completed, Moved, Sent

TEACHER, ISOLATED = "DigitClassifier1", "DigitClassifier4"
STUDENTS = ["DigitClassifier2", "DigitClassifier3", ISOLATED]
COURSES, ROUNDS = 2, 2
PATIENCE = 120.0


def UNTIL(session: Session) -> bool:
    """Two courses are over: everybody has tested itself as often, and the teacher looks for a class; or it is late."""
    stats = session.world.stats
    if session.agent(TEACHER).behav.state == "searching":
        return all(len(stats.get_series("full_test_err", student)) == COURSES for student in STUDENTS)
    return session.now > PATIENCE


def checks(session: Session) -> list[tuple[str, bool, str]]:
    """What is expected, whether it holds, what was found."""
    trace, stats = session.trace, session.world.stats
    asked = [r for r in trace.of_kind(Sent) if r.node == TEACHER and r.action in ("engage", "learn", "process")]
    course = ["engage", *["learn", "process"] * ROUNDS]
    ended = [r for r in trace.of_kind(Completed) if (r.node, r.side) == (TEACHER, "sent")]

    errors = {student: [value for _, value in stats.get_series("exam_err", student)] for student in STUDENTS}
    exams = [dict(zip(STUDENTS, marks, strict=True)) for marks in zip(*errors.values(), strict=False)]
    bests = [value for _, value in stats.get_series("best_student_history")]
    best_errors = [value for _, value in stats.get_series("best_exam_err_history")]

    social = [best for best in bests if best != ISOLATED]
    batches = steps("unlabeled")
    expected = {
        student: [("teach" if student == best else "learn_from_student", batches) for best in social]
        for student in STUDENTS[:-1]
    }
    served = {
        student: [
            (r.action, r.step + 1)
            for r in trace.of_kind(Moved)
            if r.node == student and r.action in ("teach", "learn_from_student")
        ]
        for student in STUDENTS
    }

    tests = {student: stats.get_series("full_test_err", student) for student in STUDENTS}
    left = {
        student: [round(r.t * 1000) for r in trace.of_kind(Moved) if (r.node, r.action) == (student, "disengage")]
        for student in STUDENTS
    }

    badges = [r for r in trace.of_kind(Badge) if r.awarded]
    best_badges = [(r.node, r.score) for r in badges if r.badge_type == "intermediate"]
    champions = [(r.node, r.score) for r in badges if r.badge_type == "completed"]
    scores = [1.0 - error for error in best_errors]
    records = [number for number, score in enumerate(scores) if score > max(scores[:number], default=-1.0)]
    return [
        (
            f"SOC-1 {COURSES} courses of {ROUNDS} rounds, a lesson and an exam each",
            [r.action for r in asked] == course * COURSES,
            f"{sum(r.action == 'process' for r in asked)} exams",
        ),
        (
            "SOC-1 everybody is asked, everybody does it",
            all(r.targets == STUDENTS for r in asked) and all(r.reason == "ok" for r in ended),
            f"{len(ended)} requests",
        ),
        (
            "SOC-1 the best one has the smallest error in the exam",
            len(exams) == COURSES * ROUNDS
            and bests == [min(marks, key=lambda student: marks[student]) for marks in exams]
            and best_errors == [min(marks.values()) for marks in exams],
            ", ".join(f"{best} {error:.3f}" for best, error in zip(bests, best_errors, strict=False)),
        ),
        (
            f"SOC-2 {batches} steps of teaching, {batches} of learning from it",
            {student: served[student] for student in expected} == expected,
            f"{len(social)} lessons among students",
        ),
        ("SOC-2 none of either for the isolated one", served[ISOLATED] == [], f"{len(served[ISOLATED])}"),
        (
            "SOC-3 one test of its own in each course, before it is back in init",
            all(
                len(tests[one]) == len(left[one]) == COURSES
                and all(test <= end for (test, _), end in zip(tests[one], left[one], strict=True))
                and all(test > end for (test, _), end in zip(tests[one][1:], left[one], strict=False))
                for one in STUDENTS
            ),
            ", ".join(f"{one} {test[-1][1]:.3f}" for one, test in tests.items() if test),
        ),
        (
            "SOC-5 who wants to be isolated is",
            [session.world.get_role(one) for one in STUDENTS] == ["student", "student", "student_isolated"],
            str(session.world.get_role(ISOLATED)),
        ),
        (
            "a badge for each best student, and one for each record",
            best_badges == list(zip(bests, scores, strict=False))
            and champions == [best_badges[number] for number in records],
            f"{len(best_badges)} and {len(champions)}",
        ),
    ]
