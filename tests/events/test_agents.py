"""Agents: asleep and awake, planners without a model, chains, thoughts, memory."""

from __future__ import annotations

import pytest

from events.kit import Add, Calculator, Ear, Noise, Sum, launched, story
from unaiverse_lab.core.records import Fault, Moved
from unaiverse_lab.events import (
    Action,
    Agent,
    AgentSpeaksWithAgentEvent,
    BasicAssistant,
    Choice,
    Event,
    InteractivePlanner,
    Memory,
    Planner,
    PlannerError,
    ReplayPlanner,
    Rule,
    RulePlanner,
    ScriptedPlanner,
    Step,
    Thought,
    ThoughtAction,
    UserSpeaksWithAgentEvent,
    wait,
)

TALK = UserSpeaksWithAgentEvent


def asked(agent: Agent, *others, ticks: int = 60, **options):
    """A world in which a user has spoken to an agent, run until it is idle."""
    world, you, run = launched(agent, *others, **options)
    run.run()
    you.send(TALK(target_id=agent.id, message="Go on."))
    assert run.run(max_ticks=ticks).reason == "idle"
    return world, you, run


def faults(run) -> list[str]:
    return [one.error for one in run.session.trace.of_kind(Fault)]


def test_a_script_is_done_step_by_step_and_ends_asleep() -> None:
    script = ScriptedPlanner(
        [
            wait(TALK, message="Go on."),
            Choice("calc:add", {"a": 2.45, "b": lambda state: len(state.available_entities)}),
            wait(Sum),
            Choice("AgentSpeaksWithUser", {"message": lambda state: f"{state.last_event.total}"}, plan=["rest"]),
            Choice("AgentGoesToSleep"),
        ]
    )
    agent = Agent("Agent", "agent", planner=script, wakeups=[TALK])
    world, you, run = asked(agent, Calculator(id="calc"))
    script.assert_done()
    assert story(world) == [
        ("test_user", "agent", "user_speaks_with_agent_event"),
        ("agent", "calc", "add"),
        ("calc", "agent", "sum"),
        ("agent", None, "agent_speaks_with_user_event"),
        ("agent", None, "agent_goes_to_sleep"),
    ]
    assert agent.is_asleep and agent.plan == [] and agent.errors == 0
    assert [e.message for e in you.received if e.event_type.startswith("agent_speaks")] == ["5.45"]
    with pytest.raises(AssertionError, match="1 steps were not done"):
        ScriptedPlanner([wait(Sum)]).assert_done()


@pytest.mark.parametrize(
    ("decide", "why"),
    [
        (lambda state: None, None),
        (lambda state: 1 / 0, "ZeroDivisionError"),
        (
            lambda state: Choice("calc:ad", {"a": 1, "b": 2}),
            "'calc:ad' is not available to 'agent'. Did you mean 'calc:add'",
        ),
        (lambda state: Choice("other:AgentGoesToSleep"), "is not available"),
        (lambda state: Choice("w:WorldGivesObject"), "is not available"),
        (lambda state: Choice("calc:add", {"a": 1}), "b: Field required"),
        (lambda state: Choice("calc:add", {"a": 1, "b": "x"}), "b: Input should be a valid integer"),
        (lambda state: Choice("calc:add", {"a": 1, "b": 2, "bb": 3}), "add has no field 'bb'"),
        (lambda state: "calc:add", "a planner gives a Choice"),
    ],
)
def test_a_planner_that_does_nothing_fails_or_picks_what_it_may_not_leaves_its_agent_asleep(decide, why) -> None:
    agent = Agent("Agent", "agent", planner=decide, wakeups=[TALK])
    world, you, run = asked(agent, Agent("Other", "other"), Calculator(id="calc"))
    assert agent.is_asleep and agent.errors == (0 if why is None else 2)
    assert [one for one in faults(run) if why and why in one] == faults(run)
    assert len(story(world)) == 1


def test_strict_runs_raise_what_a_planner_raises() -> None:
    def fails(state):
        raise RuntimeError("no idea")

    world, you, run = launched(Agent("Agent", "agent", planner=fails), strict=True)
    with pytest.raises(RuntimeError, match="no idea"):
        run.run()


def test_planners_may_be_async_and_see_a_copy() -> None:
    class Asks(Planner):
        async def plan_next_action(self, state):
            state.goals.append("mischief")
            state.available_entities.clear()
            return

    agent = Agent("Agent", "agent", planner=Asks(), goals=["one"])
    world, you, run = asked(agent)
    assert agent.goals == ["one"] and "agent" in world.entities


def test_rules_apply_once_for_each_event_in_their_order() -> None:
    rules = [
        Rule({"event_type": "noise", "n": 3}, "AgentSpeaksWithUser", {"message": "three!"}, once=True),
        Rule(Noise, ["AgentSpeaksWithUser", "AgentGoesToSleep"], {"message": lambda s: str(s.last_event.n)}),
    ]
    agent = Agent("Agent", "agent", planner=RulePlanner(rules))
    world, you, run = launched(agent)
    for n in (1, 3, 3):
        you.send(Noise(n=n, target_id="agent"))
    run.run()
    said = [e.message for e in you.received if e.event_type == "agent_speaks_with_user_event"]
    assert said == ["1", "three!", "3"] and agent.is_asleep
    assert [one[2] for one in story(world)].count("agent_goes_to_sleep") == 1


def test_only_what_wakes_it_wakes_it_and_never_its_own_words() -> None:
    agent = Agent("Agent", "agent")
    agent.add_wakeup_event(Noise, n=2)
    agent.add_wakeup_event(AgentSpeaksWithAgentEvent)
    world, you, run = launched(agent)
    run.run()
    wakes = lambda: [one for one in run.session.trace.of_kind(Moved) if one.action == "wake_up"]
    you.send(Noise(n=1))
    run.run()
    agent.send_event(AgentSpeaksWithAgentEvent(target_id="agent", message="to myself"))
    run.run()
    assert wakes() == []
    you.send(Noise(n=2))
    run.run()
    assert len(wakes()) == 1


def test_nobody_puts_another_to_sleep_and_words_are_not_repeated() -> None:
    from unaiverse_lab.events import AgentWantsToSleepEvent

    john = Agent("John", "John", planner=lambda state: None)
    matthew = Agent("Matthew", "Matthew", planner=ScriptedPlanner([Choice("John:AgentGoesToSleep")]))
    world, you, run = launched(john, matthew)
    you.send(AgentWantsToSleepEvent(target_id="John"))
    you.send(AgentSpeaksWithAgentEvent(target_id="John", message="Hello"))
    run.run()
    assert [one[2] for one in story(world)] == ["agent_wants_to_sleep", "agent_speaks_with_agent_event"]
    assert matthew.errors == 1


class Finds(Event):
    event_type = "finds"
    query: str


class Found(Event):
    event_type = "found"
    text: str


class Answers(Event):
    event_type = "answers"
    words: str


class Shelf(Calculator):
    """Answers after a while: work in slices."""

    left = 0

    from unaiverse_lab.events import action as _action

    @_action(on=Finds, timeout=10.0)
    def find(self, event: Finds) -> bool:
        self.left += 1
        if self.left < 4:
            return False
        self.left = 0
        self.send_event(Found(target_id=event.sender_id, text=event.query.upper()))
        return True


class Justify(Thought):
    def run(self) -> str:
        return " and ".join(e.text for _, e in self.agent_state.news if e.event_type == "found")


class Answer(ThoughtAction):
    trigger_event_class = Answers
    description = "Answers."
    required_thoughts = {"words": Justify}

    def __call__(self, event: Answers) -> None:
        self.host_object.send_event(Answers(target_id="test_user", words=event.words))
        self.host_object.thoughts.clear()


class AskBoth(Action):
    trigger_event_class = Finds
    description = "Asks both shelves."
    local = True

    def __call__(self, event: Finds) -> None:
        for shelf in ("one", "two"):
            self.host_object.send_event(Finds(target_id=shelf, query=f"{event.query} {shelf}"))


def test_a_chain_waits_for_all_answers_and_thoughts_fill_its_parameters() -> None:
    planner = RulePlanner([Rule(TALK, "AskBoth", {"query": "x"})])
    chains = [["AskBoth", Step("Answer", wait_for=[Found, Found])]]
    agent = Agent("Agent", "agent", planner=planner, actions=[AskBoth, Answer], chains=chains)
    world, you, run = asked(agent, Shelf(id="one"), Shelf(id="two"))
    assert [e.words for e in you.received if e.event_type == "answers"] == ["X ONE and X TWO"]
    assert agent.errors == 0 and agent.is_asleep and agent.thoughts == {}


def test_work_in_slices_leaves_the_others_their_ticks() -> None:
    shelf = Shelf(id="shelf")
    world, you, run = launched(shelf)
    run.step(2)
    you.send(Finds(target_id="shelf", query="a"))
    you.send(Finds(target_id="shelf", query="b"))
    you.send(Add(target_id="shelf", a=1, b=1))
    start = run.tick
    run.run(until=lambda _: len(you.received) == 1)
    assert isinstance(you.received[0], Sum) and run.tick - start == 2
    run.run()
    assert [e.text for e in you.received if e.event_type == "found"] == ["A", "B"]


def test_memory_is_bounded_and_told_in_words() -> None:
    memory = Memory(limit=100, last=2, summarise=lambda events: f"{len(events)} older ones")
    agent = Agent("Agent", "agent", memory=memory)
    world, you, run = launched(agent, history=False)
    for n in range(1000):
        you.send(Noise(n=n, target_id="agent"))
        run.step()
    run.run()
    assert len(memory.events) == 100 and memory.got == 1000
    assert [event.n for event in memory.events][-2:] == [998, 999]
    text = memory.get_event_stream_memories("everybody")
    assert "98 older ones" in text and text.endswith("test_user -> agent [noise] For everybody.")
    assert len(you.received) == 0 and len(agent.state().memory) == 100


def test_ten_thousand_events_stay_within_the_limits() -> None:
    ear = Ear(id="ear")
    world, you, run = launched(ear, history=False)
    for n in range(10_000):
        ear.send_event(Noise(n=n, target_id="test_user"))
        if n % 500 == 499:
            run.step()
    run.run()
    assert len(you.received) == 1000 and you.received[-1].n == 9999
    assert len(you.received.wires) <= 1250


def test_a_recorded_log_is_played_again_without_its_planner() -> None:
    def story_of(planner):
        agent = Agent("Agent", "agent", planner=planner, wakeups=[TALK])
        world, _, _ = asked(agent, Calculator(id="calc"))
        return [(e.sender_id, e.target_id, e.event_type) for e in world.events if not e.meta.get("local")], world

    rules = [
        Rule(TALK, "add", {"a": 1, "b": 2}),
        Rule(Sum, "AgentSpeaksWithUser", {"message": lambda state: str(state.last_event.total)}),
    ]
    first, world = story_of(RulePlanner(rules))
    again, _ = story_of(ReplayPlanner(world.events.wires, "agent"))
    assert again == first and len(first) == 4


def test_a_person_without_a_front_end_answers_from_a_list_and_never_waits() -> None:
    planner = InteractivePlanner([None, Choice("AgentSpeaksWithUser", {"message": "Hm."})])
    agent = Agent("Agent", "agent", planner=planner, wakeups=[TALK])
    world, you, run = asked(agent)
    assert [e.message for e in you.received if e.event_type == "agent_speaks_with_user_event"] == ["Hm."]
    assert "nobody has said what 'agent' does" in faults(run)[-1]


def test_a_planner_is_a_planner_or_a_function() -> None:
    with pytest.raises(PlannerError, match="not 3"):
        Agent(planner=3)
    assert BasicAssistant("A", "a", "helps", planner=lambda state: None, openai_api_key="unused").id == "a"
