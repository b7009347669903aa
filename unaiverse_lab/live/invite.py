"""Invites: one line of text with what a member needs to find a live world. Who has it can join."""

from __future__ import annotations

import base64
import re

import msgspec

from unaiverse_lab.core.errors import WorldError
from unaiverse_lab.live.broker import SCHEMES
from unaiverse_lab.live.link import without_secret

PREFIX = "ulw1:"


class Invite(msgspec.Struct, frozen=True):
    """Where a world is live.

    Attributes:
        urls: addresses of the broker, with the secret that lets one in.
        wid: identifier of the world there.
        name: name of the world's node.
    """

    urls: list[str]
    wid: str
    name: str

    def __str__(self) -> str:
        return PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    def __repr__(self) -> str:
        where = ", ".join(map(without_secret, self.urls))
        return f"Invite(to {self.name!r} at {where})"


def read_invite(text: str) -> Invite:
    """The invite in a line of text.

    Raises:
        WorldError: it is none, or a part of it is missing.
    """
    line = text.strip()
    if not line.startswith(PREFIX):
        raise WorldError(f"an invite begins with {PREFIX!r}, not with {line[:12]!r}: 'unaiverse-lab host' prints one")
    coded = line.removeprefix(PREFIX)
    try:
        data = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True)
        invite = msgspec.json.decode(data, type=Invite)
    except (ValueError, msgspec.MsgspecError):
        raise WorldError("the invite is damaged: copy it as a whole, it is one line") from None
    if not re.fullmatch("[a-z2-7]{16}", invite.wid) or not invite.urls:
        raise WorldError("the invite is damaged: it names no world")
    if not all(url.startswith(SCHEMES) for url in invite.urls):
        raise WorldError(
            f"the invite leads to something that is no broker: {', '.join(map(without_secret, invite.urls))}"
        )
    return invite
