"""A door with a bell, in the kitchen."""

from unaiverse_lab.events import Action, Event, Object


class AgentKnocks(Event):
    event_type = "agent_knocks"
    description = "Somebody knocks at the door."


class DoorSounds(Event):
    event_type = "door_sounds"
    description = "A knock is heard."


class Knock(Action):
    trigger_event_class = AgentKnocks
    description = "Sounds, for all in the room."

    def __call__(self, event: AgentKnocks) -> None:
        self.host_object.send_event(DoorSounds())


def door() -> Object:
    """The door."""
    return Object("Door", "door", "A wooden door.", actions=[Knock], properties={"location": "kitchen"})
