"""World folders: finding them, and importing their code without touching anybody else's modules.

A world folder holds ``src/`` (``world.py``, one file per role, ``stats.py``, the role JSON) and the scripts that run
its nodes: ``run_w.py`` and ``run_1.py``, ``run_2.py``, ...
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from unaiverse_lab.agents import Agent
from unaiverse_lab.core.errors import WorldError, did_you_mean


def content_folder(kind: str) -> Path:
    """The folder of the worlds (``"worlds"``) or notebooks (``"tutorials"``) that come with this package."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_content" / kind
    return installed if installed.is_dir() else package.parent / kind


def gallery() -> list[str]:
    """Names of the worlds that come with this package."""
    root = content_folder("worlds")
    return sorted(folder.name for folder in root.iterdir() if (folder / "run_w.py").is_file()) if root.is_dir() else []


def find_world(name: str | Path) -> Path:
    """The folder of a world: a path, or the name of a gallery world.

    Raises:
        WorldError: neither; the message gives the nearest gallery names.
    """
    for candidate in (Path(name), content_folder("worlds") / str(name)):
        if (candidate / "run_w.py").is_file():
            return candidate.resolve()
    if Path(name).is_dir():
        raise WorldError(f"{name} is not a world folder: it has no run_w.py")
    raise WorldError(f"there is no world folder {str(name)!r}.{did_you_mean(Path(name).name, gallery())}")


def template(name: str) -> str:
    """The path of a reusable piece of behavior, to be given to ``add_transit`` as destination.

    Raises:
        WorldError: there is none of that name; the message gives the nearest ones.
    """
    folder = content_folder("worlds") / "templates"
    path = folder / f"{name}.json"
    if not path.is_file():
        known = [file.stem for file in folder.glob("*.json")]
        raise WorldError(f"there is no template {name!r}.{did_you_mean(name, known)}")
    return str(path)


@contextmanager
def isolated_imports(folder: Path) -> Iterator[None]:
    """Import modules of a folder inside; afterwards they are forgotten: another folder may use the same names."""
    inside = folder.resolve()
    names = _names_in(inside)
    hidden = _take_out(names)
    sys.path.insert(0, str(inside))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(inside))
        _take_out(names)
        sys.modules.update(hidden)


def _names_in(folder: Path) -> set[str]:
    return {entry.stem for entry in folder.iterdir() if entry.is_dir() or entry.suffix == ".py"}


def _take_out(names: set[str]) -> dict[str, ModuleType]:
    found = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in names}
    for name in found:
        del sys.modules[name]
    return found


def role_classes(world_folder: Path, roles: list[str]) -> dict[str, type[Agent]]:
    """The class ``WAgent`` of each role: from ``<role>.py``, or from ``agent.py`` for all.

    Raises:
        WorldError: a role without file, a file without ``WAgent``, or a file that cannot be imported.
    """
    folder = world_folder.resolve()
    found: dict[str, type[Agent]] = {}
    with isolated_imports(folder.parent):
        for role in roles:
            module = role if (folder / f"{role}.py").is_file() else "agent"
            if not (folder / f"{module}.py").is_file():
                raise WorldError(f"role {role!r}: there is neither {folder.name}/{role}.py nor {folder.name}/agent.py")
            name = f"{folder.name}.{module}"
            try:
                loaded = importlib.import_module(name)
            except Exception as error:
                raise WorldError(f"{folder.name}/{module}.py cannot be imported: {error}") from error
            agent_class = getattr(loaded, "WAgent", None)
            if not (isinstance(agent_class, type) and issubclass(agent_class, Agent)):
                raise WorldError(f"{folder.name}/{module}.py defines no class WAgent(Agent)")
            found[role] = agent_class
    return found
