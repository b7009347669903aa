"""A student: all its actions are built in."""

from unaiverse_lab import Agent


class WAgent(Agent):
    """Learns what the teacher sends, and answers in the exam."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
