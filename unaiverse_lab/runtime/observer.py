"""What can be seen of the members at this moment: their states, what they do, whom they know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unaiverse_lab.runtime.node import Home, Node

MISSING = "~"


class Observer:
    """Looks at the nodes of a session when it is called; between calls it costs nothing.

    Args:
        home: the session's synchronizer.
    """

    __slots__ = ("home",)

    def __init__(self, home: Home) -> None:
        self.home = home

    def __call__(self) -> dict[str, Any]:
        """The core facts of all members, in order of joining, as a view of statistics has them."""
        host = self.home.world_node
        world = None if host is None else host.world
        members = [] if world is None else [node for node in self.home.nodes.values() if node.peer_id in world.roster]
        order = {peer: position for position, peer in enumerate(world.roster if world is not None else ())}
        members.sort(key=lambda node: order[node.peer_id])
        peers, nodes, edges = {}, {}, {}
        for node in members:
            facts = facts_of(node)
            peers[node.peer_id] = facts
            assert world is not None
            nodes[node.peer_id] = {
                "Name": node.name,
                "Role": world.get_role(node.peer_id) or MISSING,
                "Type": "human" if node.peer_id in world.human_agents else "artificial",
                "Number of Badges": len(world.all_agents[node.peer_id].get_cv()),
                "Current Action": facts["action"] or MISSING,
                "Current State": facts["state"] or MISSING,
            }
            edges[node.peer_id] = list(facts["connected_peers"])
        return {"peers": peers, "world": {"graph": {"nodes": nodes, "edges": edges}}}


def facts_of(node: Node) -> dict[str, Any]:
    """The core facts of one member."""
    agent = node.agent
    if agent is None:
        return {"connected_peers": [], "state": None, "action": None, "last_action": None}
    behav = agent.behav
    return {
        "connected_peers": list(agent.all_agents),
        "state": behav.get_state_name(consider_limbo=True),
        "action": behav.get_action_name(),
        "last_action": behav.get_last_completed_action_name(),
    }
