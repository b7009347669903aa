"""Worlds of events and entities: the GenWorlds model, on the same engine as state machines."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "actions": ("Action", "ThoughtAction", "Thought", "action"),
    "agent": ("Agent", "AgentGivesObject", "AgentMoves", "BasicAssistant", "Step", "generate_basic_assistant"),
    "chat_planner": ("ChatPlanner",),
    "entity": ("Entity", "Object", "User"),
    "event": ("AnyEvent", "Event", "EventTooLarge", "InvalidEvent"),
    "memory": ("Memory",),
    "places": ("LocationWorld",),
    "planner": (
        "AgentState", "CallablePlanner", "Choice", "InteractivePlanner", "Planner", "PlannerError", "ReplayPlanner",
        "Rule", "RulePlanner", "ScriptedPlanner", "wait",
    ),
    "screens": ("ChatInterfaceWorld", "Screens"),
    "simulation": ("Run", "Simulation"),
    "standard": (
        "AgentGivesObjectToAgentEvent", "AgentGoesToSleepEvent", "AgentMovesToNewLocation", "AgentSpeaksWithAgentEvent",
        "AgentSpeaksWithAgentTriggerEvent", "AgentSpeaksWithUserEvent", "AgentSpeaksWithUserTriggerEvent",
        "AgentWantsToGiveObjectEvent", "AgentWantsToMoveEvent", "AgentWantsToSleepEvent", "AgentWantsUpdatedStateEvent",
        "EventRefused", "UserRequestsScreensToWorldEvent",
        "UserSpeaksWithAgentEvent", "WildCardEvent", "WorldSendsAvailableActionSchemasEvent",
        "WorldSendsAvailableEntitiesEvent", "WorldSendsScreensToUserEvent", "WorldSetsAgentLocationEvent",
        "WorldSetsHolderEvent",
    ),
    "world": ("BaseWorld", "EventLog", "EventWorld", "Undeliverable"),
}  # fmt: skip
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
