"""The microphone: it tells everybody what its holder says, and nothing that anybody else says."""

from unaiverse_lab.events import Action, Event, Object


class AgentSpeaksIntoMicrophone(Event):
    event_type = "agent_speaks_into_microphone"
    description = "Somebody says something into the microphone."
    message: str


class AgentSpeaksIntoMicrophoneEvent(Event):
    event_type = "agent_speaks_into_microphone_event"
    description = "What the loudspeakers say."
    speaker: str
    message: str


class Amplify(Action):
    trigger_event_class = AgentSpeaksIntoMicrophone
    description = "Says it to everybody, if the speaker holds the microphone."

    def __call__(self, event: AgentSpeaksIntoMicrophone) -> bool:
        mic = self.host_object
        holder = mic.sight.properties.get("held_by")
        if event.sender_id != holder:
            return mic.refuse(event, f"the microphone is held by {holder}")
        mic.send_event(AgentSpeaksIntoMicrophoneEvent(speaker=holder, message=event.message))
        return True


def microphone() -> Object:
    """The microphone; at first Ada holds it."""
    return Object("Microphone", "mic1", "Makes one voice heard.", actions=[Amplify], properties={"held_by": "Ada"})
