"""The event types that come with every world: GenWorlds' own, the answers to refused events, and gifts."""

from __future__ import annotations

from typing import Any

from unaiverse_lab.events.event import ANY, Event


class AgentWantsUpdatedStateEvent(Event):
    event_type = "agent_wants_updated_state"
    description = "Asks the world which entities and actions are available."


class WorldSendsAvailableEntitiesEvent(Event):
    event_type = "world_sends_available_entities_event"
    description = "The entities available to the asker."
    available_entities: dict[str, Any]


class WorldSendsAvailableActionSchemasEvent(Event):
    event_type = "world_sends_available_action_schemas_event"
    description = "The actions available to the asker."
    world_name: str
    world_description: str
    available_action_schemas: dict[str, str]


class UserSpeaksWithAgentEvent(Event):
    event_type = "user_speaks_with_agent_event"
    description = "A user says something to an agent."
    message: str


class AgentSpeaksWithUserTriggerEvent(Event):
    event_type = "agent_speaks_with_user_trigger_event"
    description = "The agent decides to say something to the user."
    message: str


class AgentSpeaksWithUserEvent(Event):
    event_type = "agent_speaks_with_user_event"
    description = "An agent says something to the user."
    message: str


class AgentSpeaksWithAgentTriggerEvent(Event):
    event_type = "agent_speaks_with_agent_trigger_event"
    description = "The agent decides to say something to another agent."
    message: str


class AgentSpeaksWithAgentEvent(Event):
    event_type = "agent_speaks_with_agent_event"
    description = "An agent says something to another agent."
    message: str


class AgentWantsToSleepEvent(Event):
    event_type = "agent_wants_to_sleep"
    description = "The agent decides to sleep until something wakes it."


class AgentGoesToSleepEvent(Event):
    event_type = "agent_goes_to_sleep"
    description = "An agent falls asleep."


class WildCardEvent(Event):
    event_type = ANY
    description = "Stands for events of every type."


class UserRequestsScreensToWorldEvent(Event):
    event_type = "user_requests_screens_to_world"
    description = "Asks the world how its screens are laid out."


class WorldSendsScreensToUserEvent(Event):
    event_type = "world_sends_screens_to_user"
    description = "How the screens of the world are laid out."
    screens_config: dict[str, Any]


class AgentWantsToMoveEvent(Event):
    event_type = "agent_wants_to_move"
    description = "The agent decides to go to another place."
    destination_location: str


class AgentWantsToGiveObjectEvent(Event):
    event_type = "agent_wants_to_give_object"
    description = "The agent decides to give an object it holds to somebody else."
    object_id: str
    recipient_agent_id: str


class AgentMovesToNewLocation(Event):
    event_type = "agent_moves_to_new_location"
    description = "An agent wants to go to another place."
    destination_location: str


class WorldSetsAgentLocationEvent(Event):
    event_type = "world_sets_agent_location"
    description = "An agent is at another place now."
    agent_id: str
    location: str


class AgentGivesObjectToAgentEvent(Event):
    event_type = "agent_gives_object_to_agent_event"
    description = "An agent gives an object it holds to somebody else."
    object_id: str
    recipient_agent_id: str


class WorldSetsHolderEvent(Event):
    event_type = "world_sets_holder"
    description = "An object is in other hands now."
    object_id: str
    held_by: str | None


class EventRefused(Event):
    event_type = "event_refused"
    description = "An event of the receiver did not get through."
    event_id: str
    reason: str


STATE_TRAFFIC = frozenset(
    one.event_type
    for one in (
        AgentWantsUpdatedStateEvent,
        WorldSendsAvailableEntitiesEvent,
        WorldSendsAvailableActionSchemasEvent,
    )
)
"""Types that agents do not remember."""

STANDARD: tuple[type[Event], ...] = tuple(
    one for one in list(globals().values()) if isinstance(one, type) and issubclass(one, Event) and one is not Event
)
