"""An agent's machine in its world: the session's clock and trace, requests of peers, data of interactions."""

from __future__ import annotations

from typing import Protocol

from unaiverse_lab.agents.interactions import InteractionManager
from unaiverse_lab.agents.link import AgentLink
from unaiverse_lab.behavior.surroundings import Surroundings
from unaiverse_lab.core.errors import StreamError
from unaiverse_lab.core.faults import fault
from unaiverse_lab.core.interaction import SYSTEM_UUID, CompletionReason, Interaction, Status
from unaiverse_lab.data.sequences import BufferedStream
from unaiverse_lab.data.streams import Stream, StreamProxy

READER = "machine"


class Performer(Protocol):
    """What the surroundings need of the agent: its peers, its book of interactions, its streams."""

    im: InteractionManager
    stdin: StreamProxy
    stdtar: StreamProxy
    stdext: StreamProxy
    stdout: StreamProxy

    def knows(self, peer_id: str) -> bool:
        """Whether the handshake with a peer is finished."""

    def bind_default_streams(self) -> None:
        """Show the agent's own streams again."""

    def attach(self, interaction: Interaction) -> None:
        """Put an interaction on the streams it uses."""

    def detach(self, interaction: Interaction) -> None:
        """Release those streams."""


class AgentSurroundings(Surroundings):
    """Ties a machine to the agent it drives. Before the agent has a node, it is on its own."""

    __slots__ = (
        "_link",
        "agent",
    )

    def __init__(self, agent: Performer) -> None:
        super().__init__()
        self.agent = agent
        self._link: AgentLink | None = None

    def attach(self, link: AgentLink) -> None:
        """Use the clock and the trace of a node."""
        self._link = link
        self.clock = link.clock
        self.record = link.record
        self.name = link.name

    def wake(self) -> None:
        """Give the node a turn at the next tick."""
        if self._link is not None:
            self._link.wake()

    def is_doable(self, request: Interaction) -> bool:
        """Not over, from a known peer, and with unread data on every stream it uses."""
        return (
            not request.is_completed
            and self.agent.knows(request.requester)
            and (not request.slots or self.has_fresh_data(request))
        )

    def is_wanted(self, interaction: Interaction) -> bool:
        """Only a request that merely expired is still worth finishing."""
        return interaction.completion_reason == CompletionReason.TIMEOUT

    def is_answered(self, interaction: Interaction) -> bool:
        """Whether the request that the action made, and marked, is over."""
        asked = interaction.get_mark()
        return not isinstance(asked, Interaction) or asked.is_completed

    def start(self, interaction: Interaction) -> None:
        """Attach a run of the machine's own to its streams, from their beginning."""
        self.agent.attach(interaction)

    def release(self, interaction: Interaction) -> None:
        """Let those streams go."""
        if interaction.slots:
            self.agent.detach(interaction)
            interaction.slots = {}

    def has_fresh_data(self, interaction: Interaction) -> bool:
        """Whether every stream of the interaction has a sample that no step has consumed.

        The agent's own sequences always have their next sample, until they end. One that cannot give it ends the
        interaction with an error.
        """
        fresh = True
        for bound in interaction.slots.values():
            for stream in bound.values():
                try:
                    if not stream.has_unread(READER, interaction.uuid) and not self._draw(stream, interaction.uuid):
                        fresh = False
                except Exception as error:
                    self.record(fault(error, self.clock, self.name))
                    self.break_off(interaction, f"{type(error).__name__}: {error}")
                    return False
        return fresh

    def _draw(self, stream: Stream, uuid: str) -> bool:
        """Take the next sample of an own sequence; a run of the machine's own also takes what was published to all."""
        if isinstance(stream, BufferedStream):
            if stream.is_read_only and stream.length == 0:
                raise StreamError(f"stream {stream.name!r} has no samples: it needs one for each step")
            return stream.advance(uuid) is not None
        if uuid == SYSTEM_UUID and stream.written is None and stream.has_unread(READER):
            newest = stream.read(READER)[-1]
            stream.set(newest.value, newest.tag, uuid)
            return True
        return False

    def break_off(self, interaction: Interaction, detail: str) -> None:
        """Its data will not come: whoever waits for it is told."""
        if interaction.is_system:
            interaction.status, interaction.completion_reason = Status.COMPLETED, CompletionReason.ERROR
            interaction.detail = detail
        else:
            self.agent.im.complete(interaction, CompletionReason.ERROR, detail=detail)

    def consumed(self, interaction: Interaction) -> None:
        """Mark the data of a step as used, and remember its tags."""
        for bound in interaction.slots.values():
            for key, stream in bound.items():
                sample = stream.last(interaction.uuid)
                stream.get(READER, interaction.uuid)
                if sample is not None:
                    interaction.data_tags[key] = sample.tag

    def begin(self, interaction: Interaction) -> None:
        """Show the streams of the interaction as stdin, stdtar and stdext; outputs are written for it."""
        if interaction.slots:
            agent = self.agent
            for name, proxy in (("stdin", agent.stdin), ("stdtar", agent.stdtar), ("stdext", agent.stdext)):
                proxy.bind(interaction.slots.get(name, {}), interaction.uuid)
            agent.stdin.enabled = True
            agent.stdout.uuid = interaction.uuid

    def end(self, interaction: Interaction) -> None:
        """Show the agent's own streams again."""
        if interaction.slots:
            self.agent.bind_default_streams()

    def served(self, interaction: Interaction, state: str) -> None:
        """Answer the request that was served."""
        if not interaction.is_system:
            self.agent.im.complete(interaction, CompletionReason.OK, state)

    def discarded(self, interaction: Interaction) -> None:
        """Tell the requester that the machine was reset."""
        self.agent.im.complete(interaction, CompletionReason.DISCARDED, detail="the machine was reset")

    def raised(self, interaction: Interaction, detail: str) -> None:
        """A request whose action raised is over: its requester is told why."""
        self.agent.im.complete(interaction, CompletionReason.ERROR, detail=detail)
