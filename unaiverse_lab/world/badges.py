"""Awarding badges: members propose, the world decides, and the ledger keeps it."""

from __future__ import annotations

from math import isfinite
from typing import Any

from unaiverse_lab.core.badges import BadgeProposal, why_no_badge
from unaiverse_lab.core.envelope import (
    BadgeAwarded,
    BadgeSuggestion,
    BadgeSuggestions,
    SuggestionAnswer,
    SuggestionAnswers,
)
from unaiverse_lab.core.errors import BadgeError, LabError, WorldError
from unaiverse_lab.core.profile import NodeProfile
from unaiverse_lab.core.records import Badge
from unaiverse_lab.stats.database import Database
from unaiverse_lab.world.ledger import AWARDED, CLEARED, REFUSED, Entry, Ledger
from unaiverse_lab.world.membership import Membership


class Awards(Membership):
    """The badges of a world. See :class:`~unaiverse_lab.World`.

    Args:
        database: where the ledger is kept.
    """

    def __init__(self, database: Database) -> None:
        super().__init__()
        self.ledger = Ledger(database)

    def decide_badge(self, proposal: BadgeProposal) -> bool | str:
        """Whether to award a badge that a member suggested; override it: the world has the last word.

        Both are members, and score and type are what badges can have.

        Returns:
            True, or False or the reason for refusing. Default: masters are followed, nobody else, and nobody for
            itself.
        """
        if proposal.suggested_by == proposal.peer_id:
            return "nobody awards a badge to itself"
        return proposal.by_master or f"only masters may suggest badges here, and {proposal.suggested_by} is none"

    def add_badge(
        self,
        peer_id: str,
        score: float,
        badge_type: str,
        agent_token: str | None = None,
        badge_description: str | None = None,
    ) -> None:
        """Award a badge to a member: it goes into the ledger for good, and into its profile, which peers are told.

        Args:
            peer_id: the member.
            score: how well it did, from 0 to 1; higher is better.
            badge_type: ``completed``, ``attended``, ``intermediate`` or ``pro``.
            agent_token: kept in the badge for compatibility.
            badge_description: words for people.

        Badges add up: another one of the same type does not replace the first.

        Raises:
            BadgeError: a score or a type that badges cannot have.
            WorldError: not a member.
        """
        why = why_no_badge(score, badge_type)
        if why is not None:
            raise BadgeError(why)
        if peer_id not in self.all_agents:
            raise WorldError(f"{peer_id!r} is not a member of this world")
        self._award(peer_id, float(score), badge_type, badge_description or "", agent_token)
        self._save_ledger()

    def get_all_badges(self) -> dict[str, list[dict[str, Any]]]:
        """The badges awarded since :meth:`clear_badges`, by peer id, oldest first; also those of who has left.

        Each has ``badge_type``, ``score``, ``badge_description``, ``agent_node_id``, ``agent_token`` and
        ``last_edit_utc``. The dictionary follows what happens; do not change it.
        """
        return self.ledger.held

    @property
    def agent_badges(self) -> dict[str, list[dict[str, Any]]]:
        """The same as :meth:`get_all_badges`."""
        return self.ledger.held

    def clear_badges(self) -> None:
        """Begin a new epoch: :meth:`get_all_badges` starts empty. Ledger and profiles keep what was awarded before."""
        link = self._need_link()
        self.ledger.add(Entry(link.clock.now, "", None, "", "", None, "", None, None, link.peer_id, CLEARED))
        self._save_ledger()

    def _earned(self, node_id: str) -> list[dict[str, Any]]:
        return self.ledger.earned(node_id)

    def _award(
        self,
        peer_id: str,
        score: float,
        kind: str,
        description: str,
        token: str | None = None,
        proposer: str | None = None,
    ) -> None:
        link = self._need_link()
        profile = self.all_agents[peer_id]
        badge = self._enter(peer_id, profile, AWARDED, kind, score, description, token, proposer)
        self._file(peer_id, profile.with_cv([*profile.get_cv(), badge]))
        link.post(peer_id, BadgeAwarded(badge))

    def _enter(
        self,
        peer_id: str,
        profile: NodeProfile | None,
        status: str,
        kind: str,
        score: float | None,
        description: str,
        token: str | None,
        proposer: str | None,
        reason: str | None = None,
    ) -> dict[str, Any]:
        """Write a decision into ledger and trace."""
        link = self._need_link()
        name, node_id = (peer_id, None) if profile is None else (profile.name, profile.node_id)
        badge = self.ledger.add(
            Entry(
                link.clock.now, peer_id, node_id, name, kind, score, description, token, proposer, link.peer_id, status,
                reason,
            )
        )  # fmt: skip
        link.record(
            Badge(
                link.clock.tick, link.clock.now, name, kind, score, description, proposer, status == AWARDED, reason
            )
        )  # fmt: skip
        return badge

    def _save_ledger(self) -> None:
        try:
            self.ledger.save()
        except LabError as error:
            self._fault(error, "badges")

    async def _on_badge_suggestions(self, sender: str, body: BadgeSuggestions) -> None:
        self._need_member(sender, "suggest badges")
        answers = []
        for one in body.suggestions:
            why = self._why_not_awarded(sender, one)
            if why is None:
                self._award(one.peer_id, float(one.score), one.badge_type, one.badge_description, proposer=sender)
            else:
                self._refuse(sender, one, why)
            answers.append(SuggestionAnswer("badge", one.peer_id, str(one.badge_type), why is None, why))
        self._save_ledger()
        self._need_link().post(sender, SuggestionAnswers(answers))

    def _why_not_awarded(self, sender: str, one: BadgeSuggestion) -> str | None:
        if one.peer_id not in self.roster:
            return "it is not a member of this world"
        why = why_no_badge(one.score, one.badge_type)
        if why is not None:
            return why
        master = self.is_master(sender)
        proposal = BadgeProposal(sender, one.peer_id, float(one.score), one.badge_type, one.badge_description, master)
        return self._why_not(self.decide_badge, proposal)

    def _refuse(self, sender: str, one: BadgeSuggestion, reason: str) -> None:
        profile = self.all_agents.get(one.peer_id)
        self._enter(
            one.peer_id, profile, REFUSED, str(one.badge_type), _finite(one.score), one.badge_description, None, sender,
            reason,
        )  # fmt: skip

    _handlers = {
        **Membership._handlers,
        BadgeSuggestions: _on_badge_suggestions,
    }


def _finite(score: Any) -> float | None:
    try:
        number = float(score)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) else None
