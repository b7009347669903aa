"""A student: it learns from the teacher, from the best student, or is that one and teaches the others."""

from collections.abc import Generator

import torch

from unaiverse_lab import Interaction, Stream, action

from .digits import BATCH, SHAPE, digits
from .member import Member


class WAgent(Member):
    """Learns, answers in exams, teaches what it believes, and tests itself before it goes."""

    shares = True
    """Whether others may learn from it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)

    def accept_new_role(self, role: int) -> None:
        """Offer the stream to which the others listen when this student is the best one."""
        super().accept_new_role(role)
        if not self.shares or self.find_streams("best_student_stream"):
            return
        images = Stream(data_type="tensor", tensor_shape=(None, *SHAPE), tensor_dtype=torch.float32)
        labels = Stream(data_type="tensor", tensor_shape=(None,), tensor_dtype=torch.int64)
        self.add_stream(Stream.create(images, name="images", group="best_student_stream", pubsub=True))
        self.add_stream(Stream.create(labels, name="labels", group="best_student_stream", pubsub=True))

    @action
    async def learn_from_student(self, interaction: Interaction | None = None) -> bool:
        """``learn``, under a name of its own: the teacher's lessons and those of a student are never mistaken."""
        return await self.learn(interaction)

    @action
    async def teach(self, relay_uuid: str, interaction: Interaction | None = None) -> bool:
        """Answer like in an exam, and publish picture and answer for the request of somebody else.

        Args:
            relay_uuid: the request for which the others are listening.
            interaction: the request being served.
        """
        if not await self.process(interaction):
            return False
        tag = self.stdin.get_tag()
        self.owned_streams["images@best_student_stream"].set(self.stdin.get(0), tag, relay_uuid)
        self.owned_streams["labels@best_student_stream"].set(self.stdout.get(0), tag, relay_uuid)
        return True

    @action
    async def disengage(self, disconnect_too: bool = False, interaction: Interaction | None = None) -> bool:
        """Before letting the teacher go, measure the error on the test set: one batch at each tick."""
        if interaction is not None and interaction.requester in self._engaged_agents:
            done, error = self.stepwise(interaction, self.full_test)
            if not done:
                return False
            self.store("full_test_err", error, self.get_peer_id())
        return await super().disengage(disconnect_too, interaction)

    def full_test(self) -> Generator[None, None, float]:
        """Fraction of digits that are taken for another one; a pause after each batch."""
        items, wrong = digits("test"), 0
        for start in range(0, len(items), BATCH):
            images, classes = zip(*items[start : start + BATCH], strict=True)
            [answers] = self.processor([torch.stack(images)])
            wrong += int((answers != torch.tensor(classes)).sum())
            yield
        return wrong / len(items)
