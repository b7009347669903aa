"""Lets the recorded cases drive our machine: they speak of one agent alone, a fake clock and scripted outcomes."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from unaiverse_lab.agents.interactions import InteractionManager
from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.behavior.requests import Refused
from unaiverse_lab.behavior.surroundings import Surroundings
from unaiverse_lab.core.interaction import CompletionReason, Interaction
from unaiverse_lab.core.records import Moved, Said, Tried


class CaseClock:
    """The clock of a case, as the engine reads it."""

    tick = 0

    def __init__(self, clock: Any) -> None:
        self.clock = clock

    @property
    def now(self) -> float:
        return self.clock.now()


class CaseSurroundings(Surroundings):
    """One agent with a book of interactions, a list of known agents and no streams."""

    def __init__(self, clock: Any, emit: Any, known: list[str]) -> None:
        super().__init__(CaseClock(clock), self._take, "agent")
        self.emit = emit
        self.known = set(known)
        self.manager = InteractionManager(self)
        self.machine: Any = None
        self.moves: list[Moved] = []
        self.last_tried: str | None = None
        self.gave_up: set[str] = set()
        self.still_paused: str | None = None

    def _take(self, record: Any) -> None:
        if isinstance(record, Said):
            self.emit(record.text)
        elif isinstance(record, Moved):
            self.moves.append(record)
            self.last_tried = None
            self.still_paused = None
        elif isinstance(record, Tried):
            self.last_tried = record.uuid
            if record.outcome in ("timeout", "failed") and record.uuid is not None:
                self.gave_up.add(record.uuid)

    def begin(self, interaction: Interaction) -> None:
        """The reference keeps calling a paused request paused when it is the very next thing tried."""
        if interaction.uuid == self.last_tried and interaction.uuid in self.gave_up:
            self.still_paused = interaction.uuid
        else:
            self.still_paused = None
            self.gave_up.discard(interaction.uuid)

    def is_doable(self, request: Interaction) -> bool:
        return not request.is_completed and request.requester in self.known

    def served(self, interaction: Interaction, state: str) -> None:
        if not interaction.is_system:
            self.manager.complete(interaction, CompletionReason.OK, state)

    def knows(self, peer_id: str) -> bool:
        return peer_id in self.known

    def attach(self, interaction: Interaction) -> None:
        pass

    def detach(self, interaction: Interaction) -> None:
        pass

    def interaction_completed(self, interaction: Interaction) -> None:
        self.machine.drop_request(interaction)


class Adapter:
    def __init__(self, agent: Any, clock: Any, emit: Any, wildcards: dict[str, Any] | None, known_agents: list[str]):
        self.agent = agent
        self.around = CaseSurroundings(clock, emit, known_agents)
        self.requests: dict[str, Interaction] = {}
        self._use(self._machine(wildcards))

    def _machine(self, wildcards: dict[str, Any] | None = None) -> HybridStateMachine:
        return HybridStateMachine(self.agent, wildcards, strict=False, decorated_only=False, surroundings=self.around)

    def _use(self, machine: HybridStateMachine) -> None:
        self.machine = self.around.machine = machine

    def load(self, content: Any) -> None:
        self.machine.load(content)

    def saved(self) -> dict[str, Any]:
        return json.loads(str(self.machine))

    async def op(self, name: str, args: list[Any]) -> None:
        special = getattr(self, f"op_{name}", None)
        if special is not None:
            await special(*args)
            return
        if args and isinstance(args[-1], dict) and name.startswith(("add_state", "add_t", "add_g", "generate")):
            getattr(self.machine, name)(**args[-1])
            return
        result = getattr(self.machine, name)(*args)
        if name == "act_ghost_transition":
            await result

    async def op_debug(self, active: bool) -> None:
        self.machine.set_debug_messages_active(active)

    async def op_flags(self, flags: dict[str, bool]) -> None:
        self.machine.show_ticks_in_action_messages(flags.get("ticks", False))
        self.machine.show_marks_in_blocking_state_messages(flags.get("marks", False))
        self.machine.show_request_info_in_action_messages(flags.get("request_info", False))

    async def op_agent_joins(self, peer: str) -> None:
        self.around.known.add(peer)

    async def op_agent_leaves(self, peer: str) -> None:
        self.around.known.discard(peer)

    async def op_reload(self) -> None:
        self._use(self._machine().load(str(self.machine)))

    async def op_include_copy(self, role: str) -> None:
        copied = self._machine()
        copied.include(self.machine, make_a_copy=True)
        copied.set_role(role)
        self._use(copied)

    async def op_add_machine_transit(self, spec: dict[str, Any]) -> None:
        spec = dict(spec)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "plugged.json"
            path.write_text(json.dumps(spec.pop("machine")))
            self.machine.add_transit(to_state=str(path), **spec)

    async def op_policy(self, name: str) -> None:
        def last_ready(candidates: Any) -> Any:
            ready = [index for index, candidate in enumerate(candidates) if candidate.ready]
            return (ready[-1], None) if ready else (-1, None)

        self.machine.set_policy(last_ready if name == "last_ready" else lambda candidates: (-1, None))

    async def op_policy_filter(self, rules: dict[str, Any]) -> None:
        veto = dict(rules.get("veto", {}))

        def rule(index: int, request: Any, candidates: Any, opts: Any) -> Any:
            name = candidates[index].name
            if name in rules.get("raise", []):
                raise RuntimeError("scripted")
            if veto.get(name, 0) > 0:
                veto[name] -= 1
                return -1, None
            other = rules.get("replace", {}).get(name)
            for position, candidate in enumerate(candidates):
                if candidate.name == other:
                    return position, None
            return index, request

        self.machine.set_policy_filter(rule)

    def request(self, key: str, req: dict[str, Any]) -> dict[str, bool]:
        request = Interaction(
            req["action"],
            dict(req.get("kwargs", {})),
            requester=req["by"],
            target="agent",
            num_steps=req.get("num_steps", -1),
            timeout=req.get("timeout", -1.0),
            from_state=req.get("from_state"),
            to_state=req.get("to_state"),
            id=req["id"],
        )
        self.requests[key] = request
        try:
            self.around.manager.receive(request, self.machine)
        except Refused:
            return {"queued": False, "registered": False}
        return {"queued": True, "registered": True}

    def key_of(self, interaction: Interaction | None) -> str | None:
        for key, request in self.requests.items():
            if request is interaction:
                return key
        return None

    async def tick(self) -> bool:
        self.around.moves.clear()
        return await self.machine.act()

    def end_of_tick(self) -> None:
        self.around.manager.complete_expired()
        self.around.manager.drain()

    def where(self) -> tuple[str | None, str | None]:
        return self.machine.state, self.machine.limbo_state

    def step(self) -> int:
        return self.machine.get_action_step_idx()

    def pending(self) -> tuple[str | None, int]:
        return self.machine.get_action_name(), self.machine.get_action_step_idx()

    def last_completed(self) -> str | None:
        return self.machine.get_last_completed_action_name()

    def changed_flag(self) -> bool:
        """The reference reports whether the last attempt of the tick changed the state."""
        if not self.around.moves or self.machine.state is None:
            return False
        last = self.around.moves[-1]
        return self.machine.machine.states[last.target].blocking and last.source != last.target

    def request_status(self, key: str) -> tuple[str, str | None, str | None]:
        request = self.requests[key]
        status = str(request.status)
        if status == "running" and request.uuid == self.around.still_paused:
            status = "paused"
        return status, request.completion_reason, request.destination_state
