"""Roles as bits: bit 0 = in a world, bit 1 = master, one bit from bit 2 for each custom role.

The table belongs to one world; nothing here is shared between worlds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from unaiverse_lab.core.errors import WorldError, did_you_mean

PUBLIC_AGENT = 0
WORLD_AGENT = 1
WORLD_MASTER = 3
BASE_BITS = 3
MAX_CUSTOM_ROLES = 30

BASE_ROLES = {"public_agent": PUBLIC_AGENT, "world_agent": WORLD_AGENT, "world_master": WORLD_MASTER}


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

    def custom_name(self, bits: int) -> str:
        """Name of the custom part of ``bits``; ``"public_agent"`` when there is none."""
        return self.to_name.get(custom_part(bits), "public_agent")


def custom_part(bits: int) -> int:
    """The bits of the custom role alone."""
    return bits & ~BASE_BITS


def base_part(bits: int) -> int:
    """In a world? master? (the two low bits)"""
    return bits & BASE_BITS
