"""Eva is in the kitchen, Finn in the garden; they try to talk, and then meet."""

from unaiverse_lab.events import Agent, AgentMoves, Choice, ScriptedPlanner, UserSpeaksWithAgentEvent, wait

SPEAK, MOVE = "AgentSpeaksWithAgent", "AgentMoves"


def eva() -> Agent:
    """She knocks in the kitchen, waits for Finn, and answers."""
    steps = [
        wait(UserSpeaksWithAgentEvent),
        Choice("door:Knock"),
        Choice(SPEAK, {"message": "Finn, can you hear me?"}, target="Finn"),
        wait("event_refused"),
        wait("agent_speaks_with_agent_event"),
        Choice(SPEAK, {"message": "Now I can."}, target="Finn"),
        Choice("AgentGoesToSleep"),
    ]
    return Agent("Eva", "Eva", "In the kitchen.", ScriptedPlanner(steps), properties={"location": "kitchen"})


def finn() -> Agent:
    """He hears nothing in the garden, tries a room that is not there, and comes in."""
    steps = [
        wait(UserSpeaksWithAgentEvent),
        Choice(MOVE, {"destination_location": "cellar"}),
        wait("event_refused"),
        Choice(MOVE, {"destination_location": "kitchen"}),
        wait("world_sets_agent_location", agent_id="Finn"),
        Choice(SPEAK, {"message": "Here I am."}, target="Eva"),
        Choice("door:Knock"),
        Choice("AgentGoesToSleep"),
    ]
    options = {"actions": [AgentMoves], "properties": {"location": "garden"}}
    return Agent("Finn", "Finn", "In the garden.", ScriptedPlanner(steps), **options)
