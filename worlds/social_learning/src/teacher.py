"""The teacher: it owns the digits, examines after each lesson, and lets the best student teach the others."""

from unaiverse_lab import Interaction, Stream, action
from unaiverse_lab.data.library import Dataset

from .digits import BATCH, SHAPE, digits, steps
from .member import Member


class WAgent(Member):
    """Teaches, examines, and asks the best student for what itself cannot give: classes of unlabeled digits."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.shuffle_seed = 1234
        self.asked: set[str] = set()

    def accept_new_role(self, role: int) -> None:
        """Bring the digits: pictures and classes of the lessons and of the exam, and pictures without classes."""
        super().accept_new_role(role)
        if self.find_streams("eval"):
            return
        for group in ("teach_0", "teach_1", "eval", "unlabeled"):
            items = digits(group, self.rng)
            images = Dataset(items, shape=(None, *SHAPE), index=0, batch_size=BATCH)
            self.add_stream(Stream.create(images, name="images", group=group))
            if group != "unlabeled":
                labels = Dataset(items, shape=(None,), index=1, batch_size=BATCH)
                self.add_stream(Stream.create(labels, name="labels", group=group))

    @action
    async def shuffle_round_datasets(self) -> bool:
        """Give the batches in another order from now on: pictures and their classes in the same one."""
        self.shuffle_seed += 1
        for group in ("teach_0", "teach_1", "eval", "unlabeled"):
            for stream in self.find_streams(group):
                stream.shuffle_buffer(self.shuffle_seed)
        return True

    @action
    async def evaluate(self, stream_hash: str, how: str, steps: int = 100) -> bool:
        """Mark the exam of each engaged student, and note the marks."""
        marked = await super().evaluate(stream_hash, how, steps)
        for student, result in self.comparisons.items():
            self.store("exam_err", result.error, student)
        return marked

    # ------------------------------------------------------------------ the lesson among students

    def best_student(self) -> str | None:
        """Who won the last exam, as long as it is here."""
        return next((peer for peer in self.chosen_agents("<valid_cmp>") if self.knows(peer)), None)

    def other_students(self) -> list[str]:
        """The students that may learn from it; the isolated ones never do."""
        best = self.best_student()
        return [peer for peer in self.get_agents_by_role("student") if peer != best]

    @action
    async def manage_best_of_class(self) -> bool:
        """Note who is the best, suggest a badge for it, and ask the others to listen to it."""
        best = self.best_student()
        if best is None:
            return self.because("the best student has left")
        error = self.comparisons[best].error
        self.store("best_exam_err_history", error, best)
        await self.suggest_badges_to_world(
            agent=best,
            score=1.0 - error,
            badge_type="intermediate",
            badge_description="Best of the class, MNIST classification #ImageClassification #MNIST",
        )
        if not self.other_students() or not self.find_streams("best_student_stream", best):
            return self.because(f"nobody can learn from {best}")
        return await self.send_subscribe(agent=self.other_students(), stream_hashes=[f"{best}:best_student_stream"])

    @action(waits=False)
    async def social_round(self, interaction: Interaction | None = None) -> bool:
        """Show unlabeled digits to the best student; what it says of them goes to the others, as their lesson.

        Two requests make one round. The others are asked for ``learn_from_student``; the best one is asked for
        ``teach``, and told the uuid of the first request, for which it shall publish pictures and answers. Both wait
        until all have subscribed: before that, the others do not know the stream (``held``: not yet, rather than no).
        """
        best, others = self.best_student(), self.other_students()
        listening = await self.all_sent_completed("subscribe")
        if interaction is not None:
            interaction.held = not listening
        if not listening:
            return False
        if best is None or not others or not self.find_streams("best_student_stream", best):
            return self.because("there is no student that others could learn from")
        asked = await self.send(
            "learn_from_student",
            others,
            streams={
                "stdin": [f"{best}:images@best_student_stream"],
                "stdtar": [f"{best}:labels@best_student_stream"],
            },
            num_steps=steps("unlabeled"),
            from_state="listening_to_best_student",
            callback="on_asked_done",
        )
        if not asked:
            return False
        *_, learning = self.im.sent.values()
        self.asked = {best, *learning.target}
        return await self.send(
            "teach",
            best,
            {"relay_uuid": learning.uuid},
            streams={"stdin": [f"{self.get_peer_id()}:images@unlabeled"]},
            num_steps=steps("unlabeled"),
            from_state="teacher_engaged",
            callback="on_asked_done",
        )

    def on_asked_done(self, interaction: Interaction) -> None:
        """Called once for each of the two requests, when all it was sent to are done, however it ended."""
        self.asked.difference_update(interaction.target)

    @action
    async def all_asks_done(self) -> bool:
        """Check that nobody is teaching or learning any more."""
        return not self.asked or self.because(f"{', '.join(sorted(self.asked))} are still at it")
