"""A world whose members count: each tells all the others the next numbers, as fast as it may."""

from pathlib import Path

from unaiverse_lab import HybridStateMachine, NodeProfile, World

from .counter import WAgent as Counter


class WWorld(World):
    """One role."""

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
        return "counter"

    def create_behav_files(self) -> None:
        agent = Counter(proc=None)
        behav = HybridStateMachine(agent)
        behav.set_role("counter")
        behav.add_state("counting")
        behav.save(Path(self.world_folder) / "counter.json", only_if_changed=agent)
