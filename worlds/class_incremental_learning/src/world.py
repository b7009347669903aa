"""Class-incremental learning: one teacher, many students, a class at a time, and never the same class again."""

from unaiverse_lab import NodeProfile, World

from .stats import WStats


class WWorld(World):
    """The first master teaches, everybody else learns.

    There is no ``create_behav_files`` here: ``teacher.json`` and ``student.json`` are written by hand.
    """

    def __init__(self, world_folder: str):
        super().__init__(world_folder, stats=WStats(is_world=True))

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
        if is_world_master and len(self.world_masters) <= 1:
            return "teacher"
        return "student"
