"""The control of the experiment: a student that has the teacher only."""

from .student import WAgent as Student


class WAgent(Student):
    """Has the same lessons and exams as the others, but neither learns from a student nor teaches one."""

    shares = False

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
