"""Who may enter a world, and who may lead it: decided by the host, before any role is assigned."""

from __future__ import annotations

from collections.abc import Iterable

from unaiverse_lab.core.profile import NodeProfile


class Gate:
    """The host's controls.

    Args:
        allowed_node_ids: only these node ids may enter; None: everybody.
        only_certified_agents: only profiles that carry the ``certified`` flag.
        masters: node ids that may become masters.
    """

    def __init__(
        self,
        allowed_node_ids: Iterable[str] | None = None,
        only_certified_agents: bool = False,
        masters: Iterable[str] = (),
    ) -> None:
        self.allowed_node_ids = None if allowed_node_ids is None else set(allowed_node_ids)
        self.only_certified_agents = only_certified_agents
        self.masters = set(masters)

    def why_refused(self, profile: NodeProfile) -> str | None:
        """Why a node may not even ask for a role; None if it may."""
        static = profile.get_static_profile()
        if self.allowed_node_ids is not None and profile.node_id not in self.allowed_node_ids:
            return f"node {profile.name!r} is not on the list of allowed nodes"
        if self.only_certified_agents and static.get("certified") is not True:
            return f"node {profile.name!r} is not certified, and this world takes certified agents only"
        return None

    def may_lead(self, profile: NodeProfile) -> bool:
        """Whether the node may become a master."""
        return profile.node_id in self.masters
