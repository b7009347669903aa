"""Who somebody really is; only managers ask."""

from pathlib import Path

from unaiverse_lab import NodeProfile

KINDS = {"hotel": "hotel_manager", "floor": "floor_manager"}


def identity(profile: NodeProfile) -> str:
    """``<account>/<NodeName>``; on a desk every account is ``lab``."""
    return f"{profile.get_static_profile().get('account', 'lab')}/{profile.name}"


def read_managers(file: Path) -> dict[str, str]:
    """Identity -> role, from lines ``hotel,<account>/<NodeName>`` or ``floor,<account>/<NodeName>``.

    Anything else in the file is skipped. No file: no managers.
    """
    if not file.is_file():
        return {}
    managers = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        kind, _, who = (part.strip() for part in line.partition(","))
        account, _, name = who.partition("/")
        if kind in KINDS and account and name:
            managers[who] = KINDS[kind]
    return managers
