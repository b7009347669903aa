"""The Turing Hotel: guests chat in small rooms under false names, and vote on who is human."""

from pathlib import Path

from unaiverse_lab import HybridStateMachine, NodeProfile, World

from .floor_manager import WAgent as FloorManager
from .guest import WAgent as Guest
from .hotel_manager import WAgent as HotelManager
from .identity import identity, read_managers
from .machines import floor_manager, guest, hotel_manager
from .rules import PROFILES
from .stats import WStats


class WWorld(World):
    """Who is in ``managers.txt`` manages, everybody else is a guest.

    Args:
        world_folder: where roles and behaviors are.
        managers_file: lines ``hotel,<account>/<NodeName>`` or ``floor,<account>/<NodeName>``; read again for each
            joiner, so it may be edited while the hotel is open.
        profile: ``"lab"`` or ``"real"``: which :class:`~src.rules.Rules` hold.
    """

    def __init__(self, world_folder: str, managers_file: str, profile: str = "lab"):
        super().__init__(world_folder, stats=WStats(is_world=True))
        self.managers_file = managers_file
        self.rules = PROFILES[profile]

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
        return read_managers(Path(self.managers_file)).get(identity(profile), "guest")

    def create_behav_files(self) -> None:
        folder = Path(self.world_folder)
        for role, kind, build in (
            ("hotel_manager", HotelManager, hotel_manager),
            ("floor_manager", FloorManager, floor_manager),
            ("guest", Guest, guest),
        ):
            agent = kind(proc=None)
            behav = HybridStateMachine(agent)
            behav.set_role(role)
            build(behav, self.rules)
            behav.save(folder / f"{role}.json", only_if_changed=agent)
