"""An extractor: it says something about the pictures it is sent. All its actions are built in."""

from unaiverse_lab import Agent


class WAgent(Agent):
    """Lets one user engage it, works through the pictures, and is free again."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
