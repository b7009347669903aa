"""The teacher: all its actions are built in."""

from unaiverse_lab import Agent


class WAgent(Agent):
    """Records, teaches, examines, judges, and promotes those who passed."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
