"""Constants that worlds refer to by name."""

from __future__ import annotations

from unaiverse_lab.core.interaction import SYSTEM, SYSTEM_ID, SYSTEM_UUID


class Custom:
    """Names and limits with the meaning they have in the course."""

    SYSTEM_INTERACTION_REQUESTER = SYSTEM
    SYSTEM_INTERACTION_ID = SYSTEM_ID
    SYSTEM_INTERACTION_UUID = SYSTEM_UUID
    MAX_INTERACTIONS = 100
    AGENT_WILDCARD = "<agent>"
    WORLD_WILDCARD = "<world>"
    PARTNER_WILDCARD = "<partner>"
    ROLE_WILDCARD = "<role>"
