"""The book of interactions of one agent: asked for, being served, over; every request gets an answer."""

from __future__ import annotations

from typing import Protocol

from unaiverse_lab.behavior.interpreter import NEVER, Interpreter
from unaiverse_lab.behavior.requests import Refused
from unaiverse_lab.core.clock import Clock
from unaiverse_lab.core.interaction import CompletionReason, Interaction, Status

MAX_INTERACTIONS = 100
SENT, RECEIVED = "sent", "received"


class Owner(Protocol):
    """What the manager needs of the agent it keeps the book for."""

    @property
    def clock(self) -> Clock:
        """The session's clock."""

    def knows(self, peer_id: str) -> bool:
        """Whether a peer is among the known agents."""

    def attach(self, interaction: Interaction) -> None:
        """Put the interaction on the streams it uses. Raises :class:`Refused` if they do not fit."""

    def detach(self, interaction: Interaction) -> None:
        """Take it off those streams."""

    def interaction_completed(self, interaction: Interaction) -> None:
        """It is over: tell whoever has to know."""


class InteractionManager:
    """Tracks the interactions sent and received; at most ``max_interactions`` live ones.

    ``sent`` and ``received`` map uuid -> interaction while it lives; ``just_completed`` holds what ended in this tick.
    """

    __slots__ = ("just_completed", "max_interactions", "owner", "received", "sent")

    def __init__(self, owner: Owner, max_interactions: int = MAX_INTERACTIONS) -> None:
        self.owner = owner
        self.max_interactions = max_interactions
        self.sent: dict[str, Interaction] = {}
        self.received: dict[str, Interaction] = {}
        self.just_completed: list[Interaction] = []

    def __len__(self) -> int:
        return len(self.sent) + len(self.received)

    def find(self, uuid: str) -> Interaction | None:
        """The live interaction of that uuid."""
        return self.sent.get(uuid) or self.received.get(uuid)

    def _admit(self, interaction: Interaction, side: str) -> None:
        if len(self) >= self.max_interactions:
            raise Refused(f"over capacity: {self.max_interactions} interactions are live already")
        interaction.side = side
        interaction.created_at = self.owner.clock.now
        self.owner.attach(interaction)

    def register_sent(self, interaction: Interaction) -> None:
        """Start tracking a request this agent makes.

        Raises:
            Refused: too many live interactions, the uuid is in use, or its streams do not exist.
        """
        if self.find(interaction.uuid) is not None:
            raise Refused(f"the uuid {interaction.uuid!r} is in use")
        self._admit(interaction, SENT)
        interaction.status = Status.REQUESTED
        self.sent[interaction.uuid] = interaction

    def receive(self, interaction: Interaction, machine: Interpreter) -> None:
        """Take in a request (or a data push) of a peer: registered and queued, or neither.

        Raises:
            Refused: unknown requester, no transition that could serve it, too many live interactions, unfit streams.
        """
        if not self.owner.knows(interaction.requester):
            raise Refused("you are not among the agents I know")
        edge = machine.find_edge(interaction) if interaction.action_name is not None else None
        known = self.find(interaction.uuid)
        if known is not None and known.requester != interaction.requester:
            raise Refused(f"the uuid {interaction.uuid!r} is in use")
        if known is None:
            self._admit(interaction, RECEIVED)
        elif known.status == Status.RUNNING:
            return
        else:
            machine.drop_request(known)
            self.owner.detach(known)
            interaction.created_at = known.created_at
            interaction.side = RECEIVED
            self.owner.attach(interaction)
        interaction.status = Status.RECEIVED
        self.received[interaction.uuid] = interaction
        if edge is not None:
            machine.queue_request(edge, interaction)

    def complete(
        self,
        interaction: Interaction,
        reason: CompletionReason,
        state: str | None = None,
        target: str | None = None,
        detail: str | None = None,
    ) -> None:
        """End an interaction, or the part of one of its targets.

        Args:
            interaction: a live one; nothing happens if it is over, or if ``target`` has ended its part before.
            reason: how it ended. Of a request to several targets: ``ok`` if all did it, else how the last one that did
                not ended.
            state: state reached by whoever served it.
            target: the target whose part is over; None: all of it.
            detail: words for people.
        """
        if interaction.is_completed:
            return
        if target is not None and interaction.side == SENT:
            outcome = interaction.outcome
            if target in outcome.reason_of:
                return
            outcome.reason_of[target] = str(reason)
            outcome.state_of[target] = state
            outcome.detail_of[target] = detail
            if any(peer not in outcome.reason_of for peer in interaction.target):
                return
            if outcome.failed_targets:
                last = outcome.failed_targets[-1]
                reason = CompletionReason(outcome.reason_of[last])
                detail = outcome.detail_of[last]
        elif interaction.side == SENT:
            for peer in interaction.target:
                interaction.outcome.reason_of.setdefault(peer, str(reason))
        interaction.status = Status.COMPLETED
        interaction.completion_reason = str(reason)
        interaction.destination_state = state
        interaction.detail = detail
        self.sent.pop(interaction.uuid, None)
        if self.received.get(interaction.uuid) is interaction:
            del self.received[interaction.uuid]
        self.just_completed.append(interaction)
        self.owner.interaction_completed(interaction)

    def complete_expired(self) -> None:
        """End what is overdue, and what lost its partner."""
        now = self.owner.clock.now
        for interaction in [*self.sent.values(), *self.received.values()]:
            if now - interaction.created_at >= interaction.life:
                self.complete(interaction, CompletionReason.TIMEOUT, detail="it was not served in time")
            elif interaction.side == RECEIVED and not self.owner.knows(interaction.requester):
                self.complete(interaction, CompletionReason.DISCONNECTED, detail="the requester has left")

    def forget_peer(self, peer_id: str) -> None:
        """A peer has left: what it asked for is over, and what it was asked for too."""
        for interaction in list(self.received.values()):
            if interaction.requester == peer_id:
                self.complete(interaction, CompletionReason.DISCONNECTED, detail="the requester has left")
        for interaction in list(self.sent.values()):
            if peer_id in interaction.target:
                self.complete(interaction, CompletionReason.DISCONNECTED, target=peer_id, detail="it has left")

    def unregister_all(self) -> None:
        """Give everything up."""
        for interaction in [*self.sent.values(), *self.received.values()]:
            self.complete(interaction, CompletionReason.DISCARDED)

    def drain(self) -> list[Interaction]:
        """The interactions that ended since the last call; their data is released."""
        done, self.just_completed = self.just_completed, []
        for interaction in done:
            self.owner.detach(interaction)
        return done

    def due(self) -> float:
        """Time of the next expiry; infinity if nothing is live."""
        return min((i.created_at + i.life for i in (*self.sent.values(), *self.received.values())), default=NEVER)
