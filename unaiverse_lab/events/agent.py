"""Agents that plan: awake they do one thing a tick, asleep they wait for an event that wakes them."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable
from typing import Any

from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.behavior.actions import action as state_action
from unaiverse_lab.core.errors import did_you_mean
from unaiverse_lab.core.faults import fault
from unaiverse_lab.core.records import Sent
from unaiverse_lab.events.actions import Action, action
from unaiverse_lab.events.entity import Entity
from unaiverse_lab.events.event import ANY, Event, InvalidEvent, any_event, class_of_schema, parsed, type_of
from unaiverse_lab.events.memory import Memory
from unaiverse_lab.events.planner import (
    AgentState,
    Choice,
    PlannerError,
    Repeat,
    Wait,
    as_planner,
    filled,
    matches,
)
from unaiverse_lab.events.reacting import AGENT, ASLEEP, AWAKE, ActionFailed, Mailbox
from unaiverse_lab.events.serving import fire, request_of
from unaiverse_lab.events.sights import Sight
from unaiverse_lab.events.standard import (
    STATE_TRAFFIC,
    AgentGivesObjectToAgentEvent,
    AgentGoesToSleepEvent,
    AgentMovesToNewLocation,
    AgentSpeaksWithAgentEvent,
    AgentSpeaksWithAgentTriggerEvent,
    AgentSpeaksWithUserEvent,
    AgentSpeaksWithUserTriggerEvent,
    AgentWantsToGiveObjectEvent,
    AgentWantsToMoveEvent,
    AgentWantsToSleepEvent,
)


class Step:
    """A step of a chain that runs only when enough was heard since the step before.

    Args:
        action: as in :class:`Choice`.
        wait_for: types of events, one for each that has to come.
    """

    def __init__(self, action: Any, wait_for: Iterable[Any] = ()) -> None:
        self.action = action
        self.wait_for = [type_of(one) for one in wait_for]


class AgentGoesToSleep(Action):
    trigger_event_class = AgentWantsToSleepEvent
    description = "Sleep until something wakes the agent."
    local = True

    def __call__(self, event: Event) -> None:
        agent = self.host_object
        agent.plan = []
        agent.tired = True
        agent.send_event(AgentGoesToSleepEvent())


class AgentSpeaksWithUser(Action):
    trigger_event_class = AgentSpeaksWithUserTriggerEvent
    description = "Say something to the user."
    local = True

    def __call__(self, event: AgentSpeaksWithUserTriggerEvent) -> None:
        self.host_object.send_event(AgentSpeaksWithUserEvent(target_id=event.target_id, message=event.message))


class AgentSpeaksWithAgent(Action):
    trigger_event_class = AgentSpeaksWithAgentTriggerEvent
    description = "Say something to another agent."
    local = True

    def __call__(self, event: AgentSpeaksWithAgentTriggerEvent) -> None:
        self.host_object.send_event(AgentSpeaksWithAgentEvent(target_id=event.target_id, message=event.message))


class AgentGivesObject(Action):
    """Not among the actions every agent has: give it to those who hold things."""

    trigger_event_class = AgentWantsToGiveObjectEvent
    description = "Give an object that the agent holds to somebody else."
    local = True

    def __call__(self, event: AgentWantsToGiveObjectEvent) -> None:
        agent = self.host_object
        agent.send_event(
            AgentGivesObjectToAgentEvent(
                target_id=agent.host_world_id,
                object_id=event.object_id,
                recipient_agent_id=event.recipient_agent_id,
            )
        )


class AgentMoves(Action):
    """Not among the actions every agent has: give it to those in a world of places."""

    trigger_event_class = AgentWantsToMoveEvent
    description = "Go to another place."
    local = True

    def __call__(self, event: AgentWantsToMoveEvent) -> None:
        agent = self.host_object
        place = event.destination_location
        agent.send_event(AgentMovesToNewLocation(target_id=agent.host_world_id, destination_location=place))


class Agent(Entity):
    """An entity that decides for itself. Its machine has two states, ``awake`` and ``asleep``.

    Args:
        name, id, description, actions, properties, options: see :class:`Entity`.
        planner: decides what it does; a :class:`Planner` or a function of its state. None: it sleeps.
        goals: for the planner.
        wakeups: classes, or types, of the events that wake it.
        memory: default: of 1,000 events.
        chains: sequences of actions of which the planner chooses the first only; see :class:`Step`.

    ``notes`` is for its own use (plain data); the planner sees a copy as ``state.own``. ``errors`` counts the decisions
    that could not be carried out.
    """

    entity_type = AGENT
    looks = True
    keeps_mail = True

    def __init__(
        self,
        name: str | None = None,
        id: str | None = None,
        description: str = "",
        planner: Any = None,
        *,
        goals: Iterable[str] = (),
        wakeups: Iterable[Any] = (),
        memory: Memory | None = None,
        chains: Iterable[Iterable[Any]] = (),
        actions: Iterable[Any] = (),
        **options: Any,
    ) -> None:
        if "planner" not in self.__dict__:
            self.planner: Any = as_planner(planner)
            self.goals = list(goals)
            self.plan: list[str] = []
            self.memory = memory if memory is not None else Memory()
            self.ignored = set(STATE_TRAFFIC)
            self.wakeups: dict[str, list[dict[str, Any]]] = {}
            self.chains = [[one if isinstance(one, Step) else Step(one) for one in chain] for chain in chains]
            self.chain: list[Step] = []
            self.waiting: list[Wait] = []
            self.thoughts: dict[str, Any] = {}
            self.notes: dict[str, Any] = {}
            self.tired = False
            self.errors = 0
            for kind in (*wakeups, *self.planner.wakeup_types()):
                self.add_wakeup_event(kind)
        stock = (AgentGoesToSleep, AgentSpeaksWithUser, AgentSpeaksWithAgent)
        super().__init__(name, id, description, actions=(*actions, *stock), **options)

    def add_wakeup_event(self, event: type[Event] | str, **equals: Any) -> None:
        """Let a type of events wake it, if their fields have these values."""
        self.wakeups.setdefault(type_of(event), []).append(equals)

    def add_memory_ignored_event(self, event: type[Event] | str) -> None:
        """Do not remember events of a type."""
        self.ignored.add(type_of(event))

    def _mailboxes(self) -> list[Mailbox]:
        return [self.memory.events]

    def build_behavior(self, behav: HybridStateMachine) -> None:
        """``awake``: one decision a tick; ``asleep``: waiting to be woken; events are reacted to in both."""
        behav.add_state(AWAKE)
        behav.add_state(ASLEEP)
        self.arm_actions(behav, AWAKE)
        behav.add_transit(AWAKE, AWAKE, action="think_n_do")
        behav.add_transit(AWAKE, ASLEEP, action="fall_asleep")
        self.arm_actions(behav, ASLEEP)
        behav.add_transit(ASLEEP, AWAKE, action="wake_up", args={"event": ANY}, ready=False)

    @property
    def is_asleep(self) -> bool:
        """Whether it waits to be woken."""
        return bool(self.behav.get_state_name(consider_limbo=True) == ASLEEP)

    # ------------------------------------------------------------------ sleeping and waking

    @action(on=ANY, listed=False)
    def wake_up(self, event: Event) -> bool:
        """Wake up, if the event is one to wake up for."""
        wire = {name: getattr(event, name, None) for name in ("sender_id",)}
        if wire["sender_id"] == self.id:
            return False
        if self.waiting:
            for one in self.waiting:
                if one.matches(event):
                    self.waiting.remove(one)
                    break
            else:
                return self._rule_wakes(event)
            return not self.waiting
        return self._rule_wakes(event)

    def _rule_wakes(self, event: Event) -> bool:
        rules = self.wakeups.get(event.event_type, [])
        return any(matches(event, None, equals) for equals in rules)

    @state_action
    async def fall_asleep(self) -> bool:
        """Sleep until an event wakes it."""
        self.tired = False
        return True

    def may_think(self, told: str | None = None) -> bool:
        """Whether it may think in its next turn, when it is told of some type of events."""
        return not self.is_asleep or (told is not None and (bool(self.waiting) or told in self.wakeups))

    async def _listen(self, wire: dict[str, Any], link: Any) -> None:
        kind = wire["event_type"]
        if kind not in self.ignored:
            self.memory.add_event(wire)
        for name in self.listeners:
            if name != "wake_up":
                await self._react(name, -1, self.memory.events._event(wire), wire, link)
        if self.behav.state == ASLEEP and (self.waiting or kind in self.wakeups):
            for edge in self.behav.machine.edges_from(ASLEEP):
                if edge.name == "wake_up":
                    await fire(self.behav, edge, request_of(edge.name, wire))
        elif self.waiting:
            self.waiting = [one for one in self.waiting if not one.matches(wire)]

    def _was_sent(self, wire: dict[str, Any]) -> None:
        if wire["event_type"] not in self.ignored:
            self.memory.add_event(wire, delivered=False)

    # ------------------------------------------------------------------ deciding

    @state_action
    async def think_n_do(self) -> bool:
        """Ask the planner, and do what it says; False when it is time to sleep."""
        try:
            slept = await self._decide()
        except ActionFailed:
            raise
        except Exception as error:
            told = error if isinstance(error, PlannerError) else PlannerError(f"{type(error).__name__}: {error}")
            told.__traceback__ = error.__traceback__
            self.errors += 1
            self.chain = []
            link = self._need_link()
            link.record(fault(told, self.clock, link.name, AWAKE, "think_n_do"))
            if self.strict:
                raise ActionFailed(f"{self.id}: the planner failed") from error
            return self.because(str(told))
        finally:
            self._handling = None
        return not slept or bool(self.because(slept))

    async def _decide(self) -> str:
        """Do one thing; why to sleep now, empty if not."""
        state = self.state()
        if self.chain:
            return await self._go_on(state)
        decided = self.planner.plan_next_action(state)
        if inspect.isawaitable(decided):
            decided = await decided
        if decided is None:
            return "nothing to do"
        if isinstance(decided, Wait):
            self.waiting = [decided]
            return f"waits for {decided.event_type}"
        if isinstance(decided, Repeat):
            self.send_event(parsed(any_event(decided.wire["event_type"]), decided.wire))
            return ""
        choice = self._choice(decided)
        key = self._key(choice.action, state)
        self._do(key, choice, state)
        for chain in self.chains:
            if chain and self._names(chain[0].action, key):
                self.chain = list(chain[1:])
                if self.chain:
                    self.waiting = [Wait(kind, {}) for kind in self.chain[0].wait_for]
                break
        await self._perform_own()
        return "goes to sleep" if self.tired else ""

    async def _go_on(self, state: AgentState) -> str:
        if self.waiting:
            return f"waits for {self.waiting[0].event_type}"
        step = self.chain.pop(0)
        self.waiting = [Wait(kind, {}) for kind in self.chain[0].wait_for] if self.chain else []
        key = self._key(step.action, state)
        given = self.planner.fill_triggering_event(key, state)
        if inspect.isawaitable(given):
            given = await given
        choice = given if isinstance(given, Choice) else self._choice((key, given))
        self._do(key, choice, state)
        await self._perform_own()
        return "goes to sleep" if self.tired else ""

    def state(self) -> AgentState:
        """What its planner is to know: a copy."""
        sight, me = self.sight or Sight(self.entity_class), self.id
        news = self.memory.news()
        return AgentState(
            id=me,
            name=self.name,
            description=self.description,
            host_world_prompt=sight.about,
            goals=list(self.goals),
            plan=list(self.plan),
            available_action_schemas=dict(sight.schemas),
            available_entities={key: dict(card) for key, card in sight.entities.items()},
            action_schema_chains=[[step.action for step in chain] for chain in self.chains],
            current_action_chain=[step.action for step in self.chain],
            other_thoughts_filled_parameters=copy.deepcopy(self.thoughts),
            last_retrieved_memory=self.memory.get_event_stream_memories(" ".join(self.plan)),
            tick=self.clock.tick,
            inventory=list(sight.inventory),
            last_event=news[-1][1] if news else None,
            memory=self.memory.everything(),
            news=news,
            own=copy.deepcopy(self.notes),
        )

    def _choice(self, decided: Any) -> Choice:
        if isinstance(decided, Choice):
            return decided
        if isinstance(decided, tuple) and len(decided) == 2:
            key, event = decided
            if isinstance(event, Event):
                fields = event.model_dump(exclude={"meta", "sender_id", "created_at", "target_id"}, exclude_unset=True)
                return Choice(key, fields, event.target_id)
            if isinstance(event, Choice):
                return event
            if isinstance(event, dict):
                fields = dict(event)
                return Choice(key, fields, fields.pop("target_id", None))
        raise PlannerError(f"a planner gives a Choice, a pair of key and event, a wait, or None, not {decided!r}")

    def _names(self, action: Any, key: str) -> bool:
        return bool(action == key or key.partition(":")[2] == action)

    def _key(self, action: Any, state: AgentState) -> str:
        """The key of an available action.

        Raises:
            PlannerError: it is not available, or it is not clear which one is meant.
        """
        schemas = state.available_action_schemas
        if isinstance(action, type) and issubclass(action, Event):
            found = [key for key, value in schemas.items() if value.split("|", 2)[1] == action.event_type]
        elif action in schemas:
            return str(action)
        elif f"{self.id}:{action}" in schemas:
            return f"{self.id}:{action}"
        else:
            found = [key for key in schemas if key.partition(":")[2] == action]
        if len(found) == 1:
            return found[0]
        name = getattr(action, "event_type", action)
        if found:
            raise PlannerError(f"{name!r} is not clear: it may be {' or '.join(found)}")
        raise PlannerError(f"{name!r} is not available to {self.id!r}.{did_you_mean(str(name), schemas)}")

    def _do(self, key: str, choice: Choice, state: AgentState) -> None:
        """Check what was chosen and carry it out, or note it down if it is an own action."""
        owner, _, name = key.partition(":")
        mine = owner == self.id
        params = filled(choice.params, state)
        target = choice.target(state) if callable(choice.target) else choice.target
        kind = state.available_action_schemas[key].split("|", 2)[1]
        if mine:
            doing = self.doing(name)
            trigger = doing.trigger
            for parameter, thought in doing.thoughts.items():
                value = thought(state).run() if isinstance(thought, type) else thought(state)
                self.thoughts[parameter] = value
                params.setdefault(parameter, value)
        else:
            target = target if target is not None else owner
            trigger = class_of_schema(state.available_action_schemas[key].split("|", 2)[2])
        unknown = [one for one in params if one not in trigger.model_fields]
        if unknown and trigger.model_config.get("extra") != "allow":
            hint = did_you_mean(unknown[0], trigger.model_fields)
            raise PlannerError(f"{kind} has no field {unknown[0]!r}.{hint}")
        try:
            event = parsed(trigger, {**params, "target_id": target})
        except InvalidEvent as error:
            raise PlannerError(f"{key}: {error}") from None
        if choice.plan is not None:
            self.plan = list(choice.plan)
        last = state.news[-1][1] if state.news else None
        self._handling = None if last is None or last.meta is None else last.meta
        if mine:
            self._own = (name, event)
        else:
            self.send_event(event)

    _own: tuple[str, Event] | None = None

    async def _perform_own(self) -> None:
        """Run the own action that was chosen: its trigger stands in the log, and nobody else gets it."""
        own, self._own = self._own, None
        if own is None:
            return
        name, event = own
        link: Any = self._need_link()
        self._sent_events += 1
        event.sender_id = self.id
        wire = event.wire()
        handling = self._handling
        wire["created_at"] = link.clock.get_time_as_string()
        wire["meta"] = {
            "id": f"{self.id}#{self._sent_events}",
            "cause": None if handling is None else handling["id"],
            "hops": 0 if handling is None else handling["hops"] + 1,
            "tick": link.clock.tick,
            "local": True,
        }
        event.meta = dict(wire["meta"])
        link.record(
            Sent(
                link.clock.tick, link.clock.now, link.name, wire["meta"]["id"], [], wire["event_type"], {"event": wire}
            )
        )
        self._handling = wire["meta"]
        await self._react(name, -1, event, wire, link)


class BasicAssistant(Agent):
    """An agent under GenWorlds' name, with its order of arguments.

    Args:
        name, id, description: see :class:`Agent`.
        action_classes: its actions.
        planner: takes the place of the key of a language model.
        options: those of :class:`Agent`; ``openai_api_key``, ``model_name`` and ``host_world_id`` are accepted, without
            effect.
    """

    def __init__(
        self,
        name: str | None = None,
        id: str | None = None,
        description: str = "",
        host_world_id: str | None = None,
        initial_agent_state: Any = None,
        action_classes: Iterable[Any] = (),
        other_thoughts: Iterable[Any] = (),
        model_name: str | None = None,
        openai_api_key: str | None = None,
        planner: Any = None,
        **options: Any,
    ) -> None:
        super().__init__(
            name, id, description, planner, actions=(*action_classes, *options.pop("actions", ())), **options
        )


def generate_basic_assistant(
    agent_name: str, description: str = "", planner: Any = None, openai_api_key: str | None = None, **options: Any
) -> BasicAssistant:
    """An assistant whose name is its id."""
    return BasicAssistant(
        agent_name, agent_name, description, planner=planner, openai_api_key=openai_api_key, **options
    )
