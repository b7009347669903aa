"""Gallery worlds whose members live elsewhere: in this process over a hub, or anywhere over a broker."""

from __future__ import annotations

from unaiverse_lab import Session
from unaiverse_lab.live.host import Host
from unaiverse_lab.live.member import Kit, Member
from unaiverse_lab.live.memory import MemoryHostPort, MemoryHub, MemoryPort
from unaiverse_lab.runtime.launch import gather
from unaiverse_lab.runtime.node import Node
from unaiverse_lab.world.folder import find_world


def kit(world: str) -> Kit:
    """What a member of a gallery world has installed."""
    return Kit(folder=find_world(world) / "src")


def apart(world: str) -> tuple[Node, list[Node]]:
    """The world's node and those of its members, each from its own reading of the scripts."""
    host, *_ = gather(world, world_only=True)
    return host, gather(world)[1:]


class HubWorld:
    """A gallery world on a hub in this process: the host here, each member with a port of its own."""

    def __init__(self, world: str, seed: int = 0, clock: str = "lockstep", together: bool = False) -> None:
        host_node, nodes = apart(world)
        self.hub = MemoryHub()
        self.session = Session(None, seed)
        self.session.add(host_node)
        self.host = Host(self.session, MemoryHostPort(self.hub, "HOST"), clock)
        self.members: list[Member] = []
        self.hub.meanwhile.append(self.host.attend)
        groups = [nodes] if together else [[node] for node in nodes]
        for number, group in enumerate(groups):
            member = Member(MemoryPort(self.hub, f"M{number}"), group, kit(world))
            member.join()
            self.members.append(member)
            self.hub.meanwhile.append(member.pump)
            self.hub.meanwhile.append(member.port.pump)  # type: ignore[attr-defined]
