"""Roles as bits: bit 0 = in a world, bit 1 = master, one bit from bit 2 for each custom role.

The table belongs to one world; nothing here is shared between worlds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from unaiverse_lab.core.errors import WorldError, did_you_mean

PUBLIC_AGENT = 0
WORLD_AGENT = 1
WORLD_MASTER = 3
BASE_BITS = 3
MAX_CUSTOM_ROLES = 30

BASE_ROLES = {"public_agent": PUBLIC_AGENT, "world_agent": WORLD_AGENT, "world_master": WORLD_MASTER}


class RoleProposal(msgspec.Struct, frozen=True):
    """A role that a member should get, as the world is asked to decide about it.

    ``suggested_by`` and ``peer_id`` are peer ids of members (the one whose idea it is, and the one it is for), ``role``
    is the name of a custom role, ``by_master`` says whether the first of them is a master.
    """

    suggested_by: str
    peer_id: str
    role: str
    by_master: bool = False


class RoleTable:
    """Names and bits of the roles of one world.

    ``to_bits`` holds the base names, the custom ones (``student``: 4, 8, 16, ... in sorted order) and the augmented
    ones (``world_agent~student``, ``world_master~student``); ``to_name`` is its inverse.

    Args:
        custom: names of the custom roles; sorted here, as the peer sorts the behavior files.

    Raises:
        WorldError: more than 30 custom roles, or a name that is taken or contains ``~``.
    """

    def __init__(self, custom: Iterable[str] = ()) -> None:
        self.custom: list[str] = sorted(custom)
        if len(self.custom) > MAX_CUSTOM_ROLES:
            raise WorldError(f"a world has at most {MAX_CUSTOM_ROLES} custom roles, not {len(self.custom)}")
        self.to_bits: dict[str, int] = dict(BASE_ROLES)
        for index, name in enumerate(self.custom):
            if name in self.to_bits or "~" in name or not name:
                raise WorldError(f"{name!r} cannot be the name of a custom role: it is reserved or contains '~'")
            bits = 1 << (index + 2)
            self.to_bits[name] = bits
        for name in self.custom:
            self.to_bits[f"world_agent~{name}"] = self.to_bits[name] | WORLD_AGENT
            self.to_bits[f"world_master~{name}"] = self.to_bits[name] | WORLD_MASTER
        self.to_name: dict[int, str] = {bits: name for name, bits in self.to_bits.items()}

    def __contains__(self, name: object) -> bool:
        return name in self.to_bits

    def __iter__(self) -> Iterator[str]:
        return iter(self.custom)

    def bits(self, name: str) -> int:
        """Bits of a role name.

        Raises:
            WorldError: unknown name; the message lists the known ones or the nearest.
        """
        try:
            return self.to_bits[name]
        except KeyError:
            known = self.custom or list(BASE_ROLES)
            raise WorldError(f"there is no role {name!r} in this world.{did_you_mean(name, known)}") from None

    def custom_bits(self, name: str) -> int:
        """Bits of the custom role in a role name; ``"world_agent~student"`` gives those of ``"student"``.

        Raises:
            WorldError: unknown name, or one without custom role.
        """
        bits = custom_part(self.bits(name))
        if not bits:
            known = f"the roles of this world are {', '.join(self.custom)}" if self.custom else "this world has none"
            raise WorldError(f"{name!r} is not a role to be given: {known}")
        return bits

    def custom_name(self, bits: int) -> str:
        """Name of the custom part of ``bits``; ``"public_agent"`` when there is none."""
        return self.to_name.get(custom_part(bits), "public_agent")


def custom_part(bits: int) -> int:
    """The bits of the custom role alone."""
    return bits & ~BASE_BITS


def base_part(bits: int) -> int:
    """In a world? master? (the two low bits)"""
    return bits & BASE_BITS
