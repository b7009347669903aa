"""Badges: notes for good that a world attaches to a member, and which of them there are."""

from __future__ import annotations

from typing import Any

import msgspec

from unaiverse_lab.core.errors import did_you_mean

BADGE_TYPES = ("completed", "attended", "intermediate", "pro")


class BadgeProposal(msgspec.Struct, frozen=True):
    """A badge that a member should get, as the world is asked to decide about it.

    ``suggested_by`` and ``peer_id`` are peer ids of members (the one whose idea it is, and the one it is for),
    ``score`` is from 0 to 1, ``by_master`` says whether the first of them is a master.
    """

    suggested_by: str
    peer_id: str
    score: float
    badge_type: str
    description: str = ""
    by_master: bool = False


def why_no_badge(score: Any, badge_type: Any) -> str | None:
    """Why there can be no badge of this score (0 to 1, higher is better) and type; None if there can."""
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        return f"the score of a badge is a number from 0 to 1, not {score!r}"
    if badge_type not in BADGE_TYPES:
        return f"there is no badge of type {badge_type!r}.{did_you_mean(str(badge_type), BADGE_TYPES)}"
    return None
