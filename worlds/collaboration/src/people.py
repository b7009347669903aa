"""The two agents: their rules take the place of a model."""

import json
import re

from unaiverse_lab.events import Agent, AgentSpeaksWithAgentEvent, Rule, RulePlanner, UserSpeaksWithAgentEvent

SLEEP = "AgentGoesToSleep"


def size(state):
    """How large a matrix the user wants."""
    return re.findall(r"\d+", state.last_event.message)[0]


def matrix_told(state):
    """The matrix in what the other agent said."""
    return json.loads(state.last_event.message)["matrix"]


def both(state):
    """What Matthew found, and the matrix he was asked about."""
    asked = [one for one in state.memory if one.event_type == "agent_computes_determinant"][-1]
    return json.dumps({"matrix": asked.matrix, "determinant": state.last_event.determinant})


def john() -> Agent:
    """Takes the user's wish, gets the matrix, and asks Matthew for the rest."""
    rules = [
        Rule(UserSpeaksWithAgentEvent, "GenerateMatrix", {"N": size}),
        Rule(
            "send_generated_matrix_event",
            ["AgentSpeaksWithAgent", SLEEP],
            {"message": lambda state: json.dumps({"matrix": state.last_event.matrix})},
            target="Matthew",
        ),
        Rule(
            {"event_type": AgentSpeaksWithAgentEvent.event_type, "sender_id": "Matthew"},
            ["AgentSpeaksWithUser", SLEEP],
            {"message": lambda state: state.last_event.message},
            target="test_user",
        ),
    ]
    return Agent("John", "John", "Makes matrices for the user.", RulePlanner(rules))


def matthew() -> Agent:
    """Finds determinants for John."""
    rules = [
        Rule(
            {"event_type": AgentSpeaksWithAgentEvent.event_type, "sender_id": "John"},
            "ComputeDeterminant",
            {"matrix": matrix_told},
        ),
        Rule("send_matrix_determinant", ["AgentSpeaksWithAgent", SLEEP], {"message": both}, target="John"),
    ]
    return Agent("Matthew", "Matthew", "Finds determinants for his colleagues.", RulePlanner(rules))
