"""Cells as GenWorlds' tutorials have them run with other imports, and a planner in the place of the key."""

from __future__ import annotations

import pytest

from unaiverse_lab import genworlds
from unaiverse_lab.events import AgentSpeaksWithAgentEvent, Rule, RulePlanner
from unaiverse_lab.genworlds import (
    AbstractAction,
    AbstractEvent,
    AbstractObject,
    AbstractWorld,
    AgentWantsUpdatedStateEvent,
    BaseWorld,
    BasicAssistant,
    Simulation,
    TestUser,
    UserSpeaksWithAgentEvent,
    WorldSendsAvailableEntitiesEvent,
)

TestUser.__test__ = False


class AgentWantsToAddTwoNumbersEvent(AbstractEvent):
    event_type = "agent_wants_to_add_two_numbers_event"
    description = "Agent wants | to add two numbers."
    number1: float
    number2: float


class SendAddedNumbersToAgentEvent(AbstractEvent):
    event_type = "send_added_numbers_to_agent_event"
    description = "Sends the sum of two numbers to the agent."
    sum: float


class AddTwoNumbers(AbstractAction):
    trigger_event_class = AgentWantsToAddTwoNumbersEvent
    description = "Add two numbers."

    def __init__(self, host_object: AbstractObject):
        super().__init__(host_object=host_object)

    def __call__(self, event: AgentWantsToAddTwoNumbersEvent):
        self.host_object.send_event(
            SendAddedNumbersToAgentEvent(
                sender_id=self.host_object.id,
                target_id=event.sender_id,
                sum=event.number1 + event.number2,
            )
        )


class SimpleCalculator(AbstractObject):
    def __init__(self, id: str):
        actions = []
        super().__init__(name="Simple Calculator", id=id, description="Adds two numbers.", actions=actions)
        self.add_action(AddTwoNumbers(host_object=self))


def planner() -> RulePlanner:
    return RulePlanner(
        [
            Rule(UserSpeaksWithAgentEvent, "AddTwoNumbers", {"number1": "2.45", "number2": 6.78}),
            Rule(
                "send_added_numbers_to_agent_event",
                "AgentSpeaksWithUser",
                {"message": lambda s: f"{s.last_event.sum:g}"},
            ),
        ]
    )


def test_the_quickstart() -> None:
    hello_world = BaseWorld(name="Test World", description="A basic world to test some experiments.")
    agent1 = BasicAssistant(
        openai_api_key=None,
        name="Agent 1",
        id="agent1",
        description="An agent that uses a calculator.",
        planner=planner(),
    )
    agent1.add_wakeup_event(SendAddedNumbersToAgentEvent)
    hello_world.add_agent(agent1)
    hello_world.add_object(SimpleCalculator(id="simple_calculator"))
    test_user = TestUser()
    hello_world.add(test_user)
    run = hello_world.launch(port=7457)
    message = UserSpeaksWithAgentEvent(sender_id=test_user.id, message="Add 2.45 and 6.78", target_id="agent1")
    test_user.send(message)
    run.run()
    assert [one.message for one in test_user.received if one.event_type == "agent_speaks_with_user_event"] == ["9.23"]
    assert SimpleCalculator(id="c").actions[0].action_schema[0] == "c:AddTwoNumbers"


def test_a_world_of_ones_own_is_defined_by_its_actions() -> None:
    class WorldSendsAvailableEntities(AbstractAction):
        trigger_event_class = AgentWantsUpdatedStateEvent
        description = "Send available entities."

        def __init__(self, host_object: AbstractObject):
            super().__init__(host_object=host_object)

        def __call__(self, event: AgentWantsUpdatedStateEvent):
            all_entities = {one.id: one.public() for one in self.host_object.entities.values()}
            event = WorldSendsAvailableEntitiesEvent(
                sender_id=self.host_object.id,
                available_entities=all_entities,
                target_id=event.sender_id,
            )
            self.host_object.send_event(event)

    world = AbstractWorld("Mine", "A world of my own.", actions=[WorldSendsAvailableEntities], id="mine")
    you = TestUser()
    world.add(you)
    run = world.launch()
    you.send(AgentWantsUpdatedStateEvent())
    run.run()
    assert list(you.received[-1].available_entities) == ["mine"]


def test_a_simulation_takes_pairs_of_entities_and_properties() -> None:
    world = BaseWorld("S", "")
    agent = BasicAssistant("A", "a", "", planner=lambda state: None)
    simulation = Simulation("S", "", world, objects=[(SimpleCalculator("c"), {"held_by": "a"})], agents=[(agent, {})])
    run = simulation.launch()
    assert world.inventory("a") == ["c"] and run.run().reason == "idle"


def test_one_word_is_delivered_once() -> None:
    john, matthew = (BasicAssistant(name, name, "", planner=lambda state: None) for name in ("John", "Matthew"))
    world = BaseWorld("W", "", agents=[john, matthew])
    run = world.launch()
    john.send_event(AgentSpeaksWithAgentEvent(target_id="Matthew", message="Hello"))
    run.run()
    assert len(world.events) == 1


@pytest.mark.parametrize("name", genworlds.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(genworlds, name) is not None
