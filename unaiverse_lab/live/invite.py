"""Invites: one line of text with what a member needs to find a live world. Who has it can join."""

from __future__ import annotations

import base64
import contextlib
import os
import re
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from unaiverse_lab.core.errors import WorldError, did_you_mean
from unaiverse_lab.live.broker import SCHEMES
from unaiverse_lab.live.link import without_secret

PREFIX = "ulw1:"
FOLDER_VARIABLE = "UNAIVERSE_LAB_INVITES"
SUFFIX = ".invite"


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


# ---------------------------------------------------------------------- saved on this machine


def invites_folder() -> Path:
    """Where hosts of this user save their invites: ``~/.unaiverse-lab/invites``, or what UNAIVERSE_LAB_INVITES says."""
    given = os.environ.get(FOLDER_VARIABLE)
    return Path(given) if given else Path.home() / ".unaiverse-lab" / "invites"


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, as a whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def save_invite(invite: Invite, folder: Path | None = None) -> Path:
    """Save an invite for this user, so that scripts on this machine can join the world by its name.

    Args:
        invite: the invite.
        folder: default: :func:`invites_folder`.

    Returns:
        The file, to be removed with :func:`forget_invite` when the world is live no more.
    """
    folder = folder or invites_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{quote(invite.name, safe=' ')}{SUFFIX}"
    write_secret(path, str(invite))
    return path


def forget_invite(invite: Invite) -> None:
    """Remove a saved invite, unless another host of that name has put its own in its place."""
    path = invites_folder() / f"{quote(invite.name, safe=' ')}{SUFFIX}"
    with contextlib.suppress(OSError):
        if path.read_text(encoding="utf-8") == str(invite):
            path.unlink()


def find_invite(text: str) -> Invite:
    """The invite that is meant.

    Args:
        text: the invite itself, a file that holds it, or the name of a world that is hosted on this machine.

    Raises:
        WorldError: it is none of these; the message says what was looked at.
    """
    if text.strip().startswith(PREFIX):
        return read_invite(text)
    folder = invites_folder()
    for path in (folder / f"{quote(text, safe=' ')}{SUFFIX}", Path(text)):
        try:
            told = path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        return read_invite(told)
    saved = sorted(unquote(path.stem) for path in folder.glob(f"*{SUFFIX}"))
    raise WorldError(
        f"there is no live world {text!r}: it is no invite ({PREFIX}...), no host on this machine has saved one of "
        f"that name in {folder} ({', '.join(saved) or 'there is none'}), and it is no file.{did_you_mean(text, saved)} "
        "A world goes live with 'unaiverse-lab host FOLDER'"
    )


def is_invite_to(text: str | None, invite: Invite) -> bool:
    """Whether a line of text is an invite to the same world."""
    with contextlib.suppress(WorldError):
        return text is not None and read_invite(text).wid == invite.wid
    return False
