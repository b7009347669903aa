"""The teacher: it leads all the students at once, from lesson to lesson and from exam to exam."""

from unaiverse_lab import Agent, DataProps, Stream, action
from unaiverse_lab.data.library import Dataset

from .digits import NUM_CLASSES, pairs

TEACH_PER_CLASS = 50
EVAL_PER_CLASS = 20
BATCH_SIZE = 1
LESSON_TIMEOUT_SEC = 60.0
EXAM_TIMEOUT_SEC = 120.0
WELCOMING_TIMEOUT_SEC = 90.0
SHAPE = (BATCH_SIZE, 1, 8, 8)


class WAgent(Agent):
    """Teaches the classes 0, 1, ..., 9 in this order, each only once, and asks for all the classes taught so far.

    How often there is an exam, and how many times the course is held, is written in ``teacher.json``.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.students = {}
        self.truth = []
        self.predictions = {}
        self.taught = 0
        self.examined = 0
        self.exams = 0
        self.courses = 0
        self.intent = ""
        self.waiting_since = None

    def accept_new_role(self, role: int) -> None:
        """Prepare the lessons (pictures and labels) and the exam (pictures only: the answers are nobody's business)."""
        super().accept_new_role(role)
        if self.truth:
            return
        exam = []
        for digit in range(NUM_CLASSES):
            lesson = pairs(digit, TEACH_PER_CLASS, self.rng)
            self.own_pictures(f"teach_{digit}", lesson)
            labels = Dataset(lesson, (BATCH_SIZE,), index=1, batch_size=BATCH_SIZE)
            self.add_stream(Stream.create(group=f"teach_{digit}", name="labels", public=False, stream=labels))
            exam += pairs(digit, EVAL_PER_CLASS, self.rng, test=True)
        self.own_pictures("eval", exam)
        self.truth = [digit for _, digit in exam]
        self.update_streams_in_profile()

    def own_pictures(self, group: str, items: list) -> None:
        pictures = Dataset(items, SHAPE, index=0, batch_size=BATCH_SIZE)
        self.add_stream(Stream.create(group=group, name="images", public=False, stream=pictures))

    # ------------------------------------------------------------------ the roster

    async def on_tick(self) -> None:
        """Know at every tick who is here; say who came and who left."""
        before, here = self.students, self.get_agents_by_role("student", handshake_completed=True)
        self.students = {student: self.all_agents[student].name for student in here}
        for student, name in self.students.items():
            if student not in before:
                await self.nop(message=f"{name} is here")
        for student, name in before.items():
            if student not in self.students:
                await self.nop(message=f"{name} has left")

    @action
    async def welcoming(self, courses: int = 1) -> bool:
        """Wait until somebody is here, but not for ever.

        Args:
            courses: after that many whole courses nothing is begun any more; 0: there is always another one.
        """
        if courses and self.courses >= courses:
            return self.because("the course is over")
        if self.waiting_since is None:
            self.waiting_since = self.clock.now
        if not self.students and self.clock.now - self.waiting_since < WELCOMING_TIMEOUT_SEC:
            return self.because("no student is here yet")
        self.waiting_since = None
        return True

    # ------------------------------------------------------------------ what comes next

    @action
    async def should_teach_or_evaluate(self, exam_every: int = 1) -> bool:
        """Decide what comes next.

        Args:
            exam_every: lessons from one exam to the next; there is always one at the end of the course.
        """
        fresh = self.taught - self.examined
        exam = fresh >= exam_every or (fresh > 0 and self.taught == NUM_CLASSES)
        self.intent = "exam" if exam else "lesson"
        return True

    @action
    async def building_lesson(self) -> bool:
        return self.intent == "lesson" or self.because("it is time for an exam")

    @action
    async def building_evaluation(self) -> bool:
        return self.intent == "exam" or self.because("it is time for a lesson")

    # ------------------------------------------------------------------ a lesson

    @action
    async def init_lesson(self) -> bool:
        """Send the next class to all the students: one request to many. It is done when all of them are."""
        if not self.students:
            return self.because("no student is here")
        group = f"teach_{self.taught}"
        sent = await self.send(
            action_name="learn",
            target=list(self.students),
            from_state="wait",
            streams={"stdin": [f"images@{group}"], "stdtar": [f"labels@{group}"], "stdext": []},
            num_steps=TEACH_PER_CLASS,
            timeout=LESSON_TIMEOUT_SEC,
        )
        self.taught += sent
        return sent

    # ------------------------------------------------------------------ an exam

    @action
    async def send_exam(self) -> bool:
        """Ask all the students for all the classes taught so far. What they said in the lesson is no answer."""
        if not self.students or not self.taught:
            return self.because("nobody is here to be asked, or nothing was taught")
        self.predictions = {}
        for student in self.students:
            for stream in self.streams_of(student).values():
                stream.clear_all_data()
        return await self.send(
            action_name="process",
            target=list(self.students),
            from_state="wait",
            streams={"stdin": ["images@eval"]},
            num_steps=EVAL_PER_CLASS * self.taught,
            timeout=EXAM_TIMEOUT_SEC,
        )

    def collect_predictions(self, agent: str, props: DataProps, data, data_tag: int) -> None:
        """Keep an answer. Its tag is the number of the picture it is about, so one that got lost shifts no other."""
        self.predictions.setdefault(agent, {})[data_tag] = int(data)

    @action
    async def score_exam(self) -> bool:
        """Tell the world how good each student is, on the whole and in each class, and print the table.

        What was not answered is wrong. Who answered nothing at all is left out.
        """
        now = self.clock.get_time_ms(monotonic=True)
        asked = self.truth[: EVAL_PER_CLASS * self.taught]
        self.exams += 1
        rows = []
        for student, name in self.students.items():
            said = self.predictions.get(student)
            if not said:
                continue
            right = [said.get(number) == digit for number, digit in enumerate(asked)]
            accuracy = sum(right) / len(right)
            per_class = [
                sum(right[start : start + EVAL_PER_CLASS]) / EVAL_PER_CLASS
                for start in range(0, len(right), EVAL_PER_CLASS)
            ]
            self.stats.store_stat("accuracy", accuracy, group_key=student, timestamp=now)
            for digit, value in enumerate(per_class):
                self.stats.store_stat(f"peer_acc_per_class_{digit}", value, group_key=student, timestamp=now)
            rows.append((name, accuracy, per_class))
        for line in forgetting_table(f"exam-{self.exams}", rows):
            await self.nop(message=line)
        self.examined = self.taught
        if self.taught == NUM_CLASSES:
            self.courses += 1
            self.taught = self.examined = 0
        return True


def forgetting_table(title: str, rows: list) -> list[str]:
    """One line per student, one column per class, the accuracy on the whole last; dots keep the columns in place.

    Args:
        title: what stands at the top left.
        rows: student, accuracy on the whole, accuracies of the classes asked for.
    """
    lines = [[title, *(str(digit) for digit in range(NUM_CLASSES)), "all"]]
    for student, accuracy, per_class in rows:
        unasked = ["-"] * (NUM_CLASSES - len(per_class))
        lines.append([student, *(marked(value) for value in per_class), *unasked, marked(accuracy)])
    width = max(len(line[0]) for line in lines)
    return [" ".join([first.ljust(width, "."), *(cell.rjust(5, ".") for cell in cells)]) for first, *cells in lines]


def marked(accuracy: float) -> str:
    """The number, and how dark it is: at least 0.9, at least 0.7, at least 0.5, below."""
    shade = "█" if accuracy >= 0.9 else "▓" if accuracy >= 0.7 else "▒" if accuracy >= 0.5 else "░"
    return f"{shade}{accuracy:.2f}"
