"""GenWorlds' names for what is here, so that its tutorial cells run with other imports and a planner for the key."""

from __future__ import annotations

from unaiverse_lab.events.actions import Action as AbstractAction
from unaiverse_lab.events.actions import Thought as AbstractThought
from unaiverse_lab.events.actions import ThoughtAction
from unaiverse_lab.events.agent import Agent as AbstractAgent
from unaiverse_lab.events.agent import BasicAssistant, generate_basic_assistant
from unaiverse_lab.events.entity import Object as AbstractObject
from unaiverse_lab.events.entity import User as TestUser
from unaiverse_lab.events.event import Event as AbstractEvent
from unaiverse_lab.events.memory import Memory as SimulationMemory
from unaiverse_lab.events.places import LocationWorld
from unaiverse_lab.events.planner import AgentState as AbstractAgentState
from unaiverse_lab.events.planner import Planner as AbstractActionPlanner
from unaiverse_lab.events.reacting import EntityCard as AbstractWorldEntity
from unaiverse_lab.events.screens import ChatInterfaceWorld
from unaiverse_lab.events.simulation import Simulation
from unaiverse_lab.events.standard import (
    AgentGivesObjectToAgentEvent,
    AgentGoesToSleepEvent,
    AgentMovesToNewLocation,
    AgentSpeaksWithAgentEvent,
    AgentSpeaksWithUserEvent,
    AgentSpeaksWithUserTriggerEvent,
    AgentWantsToSleepEvent,
    AgentWantsUpdatedStateEvent,
    UserRequestsScreensToWorldEvent,
    UserSpeaksWithAgentEvent,
    WildCardEvent,
    WorldSendsAvailableActionSchemasEvent,
    WorldSendsAvailableEntitiesEvent,
    WorldSendsScreensToUserEvent,
    WorldSetsAgentLocationEvent,
)
from unaiverse_lab.events.world import BaseWorld
from unaiverse_lab.events.world import EventWorld as AbstractWorld

__all__ = [
    "AbstractAction",
    "AbstractActionPlanner",
    "AbstractAgent",
    "AbstractAgentState",
    "AbstractEvent",
    "AbstractObject",
    "AbstractThought",
    "AbstractWorld",
    "AbstractWorldEntity",
    "AgentGivesObjectToAgentEvent",
    "AgentGoesToSleepEvent",
    "AgentMovesToNewLocation",
    "AgentSpeaksWithAgentEvent",
    "AgentSpeaksWithUserEvent",
    "AgentSpeaksWithUserTriggerEvent",
    "AgentWantsToSleepEvent",
    "AgentWantsUpdatedStateEvent",
    "BaseWorld",
    "BasicAssistant",
    "ChatInterfaceWorld",
    "LocationWorld",
    "Simulation",
    "SimulationMemory",
    "TestUser",
    "ThoughtAction",
    "UserRequestsScreensToWorldEvent",
    "UserSpeaksWithAgentEvent",
    "WildCardEvent",
    "WorldSendsAvailableActionSchemasEvent",
    "WorldSendsAvailableEntitiesEvent",
    "WorldSendsScreensToUserEvent",
    "WorldSetsAgentLocationEvent",
    "generate_basic_assistant",
]
