"""The chat room: one broadcaster relays what each user says to all the others."""

from pathlib import Path

from unaiverse_lab import HybridStateMachine, NodeProfile, World

from .broadcaster import WAgent as Broadcaster
from .stats import WStats
from .user import WAgent as User


class WWorld(World):
    """Two roles: the first master that joins is the broadcaster, everybody else is a user."""

    def __init__(self, world_folder: str, max_silence_seconds: float = 25.0, talk_probability: float = 0.01):
        super().__init__(world_folder, stats=WStats(is_world=True))
        self.max_silence_seconds = max_silence_seconds
        self.talk_probability = talk_probability

    def assign_role(self, profile: NodeProfile, is_world_master: bool) -> str:
        if is_world_master and len(self.world_masters) <= 1:
            return "broadcaster"
        return "user"

    def create_behav_files(self) -> None:
        folder = Path(self.world_folder)

        agent = Broadcaster(proc=None)
        behav = HybridStateMachine(agent)
        behav.set_role("broadcaster")
        behav.add_state("ready")
        behav.add_transit("ready", "ready", action="broadcast_message")
        behav.save(folder / "broadcaster.json", only_if_changed=agent)

        agent = User(proc=None)
        behav = HybridStateMachine(agent)
        behav.set_role("user")
        behav.set_welcome_message("👋 Welcome to the chat room!")
        behav.add_state("init")
        behav.add_state("waiting_handshake", blocking=False)
        behav.add_state(
            "ready",
            action="check_messages",
            args={
                "max_silence_seconds": self.max_silence_seconds,
                "talk_probability": self.talk_probability,
                "history_len": 3,
            },
            msg="✅ Ready!",
        )
        behav.add_state("message_sent", blocking=False)
        behav.add_transit(
            "init",
            "waiting_handshake",
            action="connect_to_broadcaster",
            args={"role": "broadcaster"},
        )
        behav.add_transit("waiting_handshake", "ready", action="connected", args={"handshake_completed": True})
        behav.add_transit("waiting_handshake", "init", action="disconnected", delay=5.0)
        behav.add_transit("ready", "init", action="disconnected", delay=5.0)
        behav.add_transit("ready", "message_sent", action="generate_and_send", args={"samples": 1})
        behav.add_transit("message_sent", "ready", action="nop")
        behav.add_teleport("waiting_handshake", "init", action="nop", delay=15.0)
        behav.save(folder / "user.json", only_if_changed=agent)
