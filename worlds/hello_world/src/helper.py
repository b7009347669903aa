"""An agent that leaves the adding to a calculator, by rules instead of a model."""

import re

from unaiverse_lab.events import Agent, Rule, RulePlanner, UserSpeaksWithAgentEvent

NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def number(index):
    """The number at a place of what the user said."""
    return lambda state: NUMBER.findall(state.last_event.message)[index]


class Helper(Agent):
    """Asks the calculator, tells the user, sleeps."""

    def __init__(self) -> None:
        rules = [
            Rule(UserSpeaksWithAgentEvent, "AddTwoNumbers", {"number1": number(0), "number2": number(1)}),
            Rule(
                "send_added_numbers_to_agent_event",
                ["AgentSpeaksWithUser", "AgentGoesToSleep"],
                {"message": lambda state: f"The sum is {state.last_event.sum:g}."},
            ),
        ]
        super().__init__("Agent 1", "agent1", "Helps the user with numbers.", RulePlanner(rules))
