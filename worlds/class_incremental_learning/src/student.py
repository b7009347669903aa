"""A student: all its actions are built in."""

from unaiverse_lab import Agent


class WAgent(Agent):
    """Goes to the teacher, learns what it is taught, and answers in the exams."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
