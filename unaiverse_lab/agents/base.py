"""What every agent has: a processor with its slots, streams, peers, a machine, and a link to its node."""

from __future__ import annotations

import random
from abc import abstractmethod
from collections import deque
from typing import Any

from unaiverse_lab.agents.interactions import InteractionManager
from unaiverse_lab.agents.link import AgentLink
from unaiverse_lab.agents.owner import PROCESSOR_IN, PROCESSOR_OUT, StreamOwner
from unaiverse_lab.agents.surroundings import AgentSurroundings
from unaiverse_lab.behavior import HybridStateMachine
from unaiverse_lab.behavior.policy import FilterFunction
from unaiverse_lab.core.clock import Clock
from unaiverse_lab.core.errors import LabError
from unaiverse_lab.core.interaction import SYSTEM_UUID, Interaction
from unaiverse_lab.core.ordered import OrderedSet
from unaiverse_lab.core.profile import NodeProfile
from unaiverse_lab.data.processors import Human, Identity, Processor, ScriptedHuman
from unaiverse_lab.data.slots import StreamType
from unaiverse_lab.data.streams import Stream, StreamProxy
from unaiverse_lab.stats.stats import Stats

PUBLIC_PLACEHOLDER = "<private_peer_id>"


class AgentBase(StreamOwner[AgentLink]):
    """State of an agent; the actions are in the classes built on it.

    Args:
        proc: the processor: None (inputs come out as they are), ``"human"``, or any callable taking one value per input
            slot and giving one per output slot.
        proc_inputs, proc_outputs: the slots, a list of :class:`~unaiverse_lab.data.slots.StreamType` or type names;
            default: one slot ``"all"`` (a person: ``"text"``).
        proc_opts: options for learning.
        merge_flat_stream_labels: streams added to the agent have one set of labels together.
        buffer_generated, buffer_generated_by_others: kept for the learning actions.
        world_folder: kept for compatibility.
        policy_filter: confirms, replaces or vetoes each choice of the machine.

    Raises:
        LabError: the processor is neither of these.
        StreamError: a slot is wrong.
    """

    HUMAN = "human"
    _kind = "an agent"

    def __init__(
        self,
        proc: Any = None,
        proc_inputs: list[StreamType | str] | None = None,
        proc_outputs: list[StreamType | str] | None = None,
        proc_opts: dict[str, Any] | None = None,
        merge_flat_stream_labels: bool = False,
        buffer_generated: bool = False,
        buffer_generated_by_others: str = "none",
        world_folder: str | None = None,
        policy_filter: FilterFunction | None = None,
        policy_filter_lone_wolf: FilterFunction | None = None,
    ) -> None:
        if "surroundings" in self.__dict__:
            return
        super().__init__()
        if buffer_generated_by_others not in ("none", "one", "all"):
            raise LabError(f"buffer_generated_by_others is 'none', 'one' or 'all', not {buffer_generated_by_others!r}")
        self.proc_opts: dict[str, Any] = dict(proc_opts or {})
        proc = self._usable(proc)
        default = "text" if isinstance(proc, Human) else "all"
        self.proc_inputs = StreamType.slots(proc_inputs, default, "proc_input", PROCESSOR_IN)
        self.proc_outputs = StreamType.slots(proc_outputs, default, "proc_output", PROCESSOR_OUT)
        self.proc = proc
        self.last_losses: list[float] = []
        self.lessons: list[tuple[Any, int, str | None]] = []
        self.merge_flat_stream_labels = merge_flat_stream_labels
        self.buffer_generated = buffer_generated
        self.buffer_generated_by_others = buffer_generated_by_others
        self.world_folder = world_folder
        self.policy_filter = policy_filter

        self.surroundings = AgentSurroundings(self)
        self.im = InteractionManager(self)
        self.all_agents: dict[str, NodeProfile] = {}
        self.world_agents: dict[str, NodeProfile] = {}
        self.world_masters: dict[str, NodeProfile] = {}
        self.human_agents: dict[str, NodeProfile] = {}
        self.artificial_agents: dict[str, NodeProfile] = {}
        self.contacting: dict[str, int] = {}
        self.leaving: list[str] = []
        self.recently_done: list[Interaction] = []
        self.typed: deque[str] = deque()
        self.script: deque[tuple[float, str]] = deque(proc.lines if isinstance(proc, ScriptedHuman) else ())
        self.behav_wildcards: dict[str, Any] = {}

        self.known_streams: dict[str, dict[str, Stream]] = {}
        self.subscriptions: dict[str, OrderedSet[str]] = {}
        self.stdin, self.stdtar = StreamProxy("stdin"), StreamProxy("stdtar")
        self.stdext, self.stdout = StreamProxy("stdext"), StreamProxy("stdout")
        for slot in (*self.proc_inputs, *self.proc_outputs):
            self.own(Stream(slot.props))
        self.bind_default_streams()

        self._available = True
        self._found_agents: OrderedSet[str] = OrderedSet()
        self._lost_agents: OrderedSet[str] = OrderedSet()
        self._engaged_agents: OrderedSet[str] = OrderedSet()
        self._valid_cmp_agents: OrderedSet[str] = OrderedSet()
        self._eval_results: dict[str, float] = {}
        self._preferred_streams: list[str] = []
        self._cur_preferred_stream = 0
        self._repeat = 1
        self._recordings = 0
        self.answers: dict[str, dict[str | None, dict[str, list[tuple[int, Any]]]]] = {}
        self._stats: Stats | None = None
        self._rng: random.Random | None = None
        self._interactions_made = 0

        self.behav = HybridStateMachine(self)
        self.behav.add_state("empty")

    # ------------------------------------------------------------------ the processor

    def _usable(self, proc: Any) -> Any:
        if proc is None and callable(self):
            return self
        if proc is None:
            return Identity()
        if proc == self.HUMAN:
            return Human()
        if not callable(proc):
            raise LabError(f"a processor is None, 'human' or something that can be called, not {proc!r}")
        return proc

    @property
    def proc(self) -> Any:
        """What turns inputs into outputs; another one may be put in its place at any time, for the same slots."""
        return self.processor.function

    @proc.setter
    def proc(self, proc: Any) -> None:
        self.release_processor()
        self.processor = Processor(self._usable(proc), self.proc_inputs, self.proc_outputs, self.proc_opts)

    def release_processor(self) -> None:
        """Take the processor out of the batches it may be trained in; it stays as it is, and usable."""
        processor = getattr(self, "processor", None)
        if (
            processor is not None
            and processor.learner is not None
            and self.link is not None
            and self.link.stacks is not None
        ):
            self.link.stacks.release(processor.learner)

    # ------------------------------------------------------------------ who and where

    @property
    def clock(self) -> Clock:
        """The session's clock."""
        return self.surroundings.clock

    @property
    def rng(self) -> random.Random:
        """The agent's own source of randomness, seeded by the session's seed and the node's name."""
        if self._rng is None:
            self._rng = random.Random(self.link.seed if self.link is not None else "alone")
        return self._rng

    @property
    def stats(self) -> Stats:
        """What the agent measures, and what it knows of what the world does; in a world of the class the world has."""
        if self._stats is None:
            self.stats = (Stats if self.link is None else self.link.stats_class)(is_world=False)
        assert self._stats is not None
        if self._stats.link is not self.link and self.link is not None:
            self._stats.attach_to(self.link)
        return self._stats

    @stats.setter
    def stats(self, stats: Stats) -> None:
        self._stats = stats
        if self.link is not None:
            stats.attach_to(self.link)

    def has_scores(self) -> bool:
        """Whether it has stored something that the world has not acknowledged yet."""
        return self._stats is not None and bool(self._stats.outbox.pending)

    def keep_score_as(self, stats_class: type[Stats]) -> None:
        """Measure what a world measures; what was stored before stays to be sent."""
        before = self._stats
        if before is not None and type(before) is not stats_class:
            self.stats = stats_class(is_world=False)
            self.stats.take_over(before)

    def attach_to(self, link: AgentLink) -> None:
        """Tie the agent, and the machine in it, to its node."""
        super().attach_to(link)
        self.surroundings.attach(link)
        if self._stats is not None:
            self._stats.attach_to(link)

    def is_human(self) -> bool:
        """Whether a person sits behind this agent."""
        return isinstance(self.proc, Human)

    def get_peer_id(self) -> str:
        """The agent's own peer id (a placeholder before it has a node)."""
        return self.link.peer_id if self.link is not None else PUBLIC_PLACEHOLDER

    def get_name(self) -> str:
        """The node's name."""
        return self.link.name if self.link is not None else type(self).__name__

    def get_profile(self) -> NodeProfile:
        """The agent's own profile.

        Raises:
            NotInWorld: the agent has no node.
        """
        return self._need_link().profile

    def _is_member(self, peer_id: str) -> bool:
        return peer_id in self._need_link().roster

    def in_world(self) -> bool:
        """Whether a world has admitted the agent."""
        return self.link is not None and self.link.world_id is not None

    def because(self, reason: str) -> bool:
        """Say why an action did not succeed: ``return self.because("nobody is here")``. Always False."""
        self.behav.reason = reason
        return False

    # ------------------------------------------------------------------ what its book of interactions asks

    @abstractmethod
    def knows(self, peer_id: str) -> bool:
        """Whether the handshake with a peer is finished."""

    @abstractmethod
    def attach(self, interaction: Interaction) -> None:
        """Put an interaction on the streams it uses."""

    @abstractmethod
    def detach(self, interaction: Interaction) -> None:
        """Release those streams."""

    @abstractmethod
    def interaction_completed(self, interaction: Interaction) -> None:
        """An interaction is over."""

    # ------------------------------------------------------------------ streams it owns

    def bind_default_streams(self) -> None:
        """Let stdin, stdout and stdext show the agent's own streams again."""
        groups: dict[str, dict[str, Stream]] = {PROCESSOR_IN: {}, PROCESSOR_OUT: {}, "": {}}
        for name, stream in self.owned_streams.items():
            group = stream.props.group if stream.props.group in groups else ""
            groups[group][name] = stream
        self.stdin.bind(groups[PROCESSOR_IN], SYSTEM_UUID)
        self.stdout.bind(groups[PROCESSOR_OUT], SYSTEM_UUID)
        self.stdext.bind(groups[""], SYSTEM_UUID)
        self.stdtar.bind({}, SYSTEM_UUID)
        self.stdin.enabled = not self.is_human()
