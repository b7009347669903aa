"""A student: it learns what it hears, and answers in the exam."""

from typing import Any

from unaiverse_lab import Agent, Interaction, action


class WAgent(Agent):
    """All its actions are built in; ``process`` also knows the blind exam."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.blind = False

    @action
    async def process(self, exam_input: str = "reference", interaction: Interaction | None = None) -> bool:
        """Answer one sample of the exam.

        Args:
            exam_input: "reference": the signal is heard during the whole exam; "blind": its first sample only, then
                zeros, with the descriptor kept.
            interaction: the request being served.
        """
        self.blind = exam_input == "blind" and self.get_action_step() > 0
        try:
            return await super().process(interaction)
        finally:
            self.blind = False

    def hook_proc_tweak_inputs(self, inputs: list[Any]) -> list[Any]:
        signal, descriptor = inputs
        return [signal * 0 if self.blind else signal, descriptor]
