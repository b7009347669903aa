"""Who sits at the table. Their planner is a small program of its own, in place of a model."""

from unaiverse_lab.events import Agent, AgentGivesObject, AgentState, Choice, Planner

TABLE = ["Ada", "Ben", "Cleo", "Dan"]
TURNS = 8
HEARD = "agent_speaks_into_microphone_event"
UNDER_WAY = ("agent_speaks_into_microphone", "agent_gives_object_to_agent_event")
LINES = [
    "Let us begin.", "A rule that lives in the table is kept.", "I agree.", "So do I, now that I may say so.",
    "Then what is left?", "To be heard by everybody.", "And to give the microphone away.", "Which I do not have to.",
]  # fmt: skip


class Speaker(Planner):
    """Speaks once whenever it gets the microphone, then gives it to the next at the table."""

    def plan_next_action(self, state: AgentState) -> Choice | None:
        if "mic1" not in state.inventory or state.last_event is None:
            return None
        spoken = [event for _, event in state.news if event.event_type == HEARD]
        if len(spoken) >= TURNS:
            return Choice("AgentGoesToSleep") if state.last_event.event_type == HEARD else None
        if state.memory[-1].sender_id == state.id and state.memory[-1].event_type in UNDER_WAY:
            return None
        if spoken and spoken[-1].speaker == state.id:
            following = TABLE[(TABLE.index(state.id) + 1) % len(TABLE)]
            return Choice("AgentGivesObject", {"object_id": "mic1", "recipient_agent_id": following})
        return Choice("mic1:Amplify", {"message": LINES[len(spoken)]})

    def wakeup_types(self) -> list[str]:
        return ["user_speaks_with_agent_event", "world_sets_holder", HEARD]


def person(name: str) -> Agent:
    """One of them."""
    return Agent(name, name, f"{name} sits at the table.", Speaker(), actions=[AgentGivesObject])
