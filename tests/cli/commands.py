"""Running the command line as a user does: in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import unaiverse_lab
from unaiverse_lab.world.folder import content_folder

ROOT = Path(unaiverse_lab.__file__).parents[1]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "unaiverse_lab", *map(str, arguments)]


def environment(**values: str) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", **values}


def lab(*arguments: object, **values: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(**values),
        timeout=120,
    )


def chat_copy(folder: Path, builds: bool = True) -> Path:
    """A copy of the chat room; without ``builds`` its behavior files are all there is."""
    world = folder / "chat"
    shutil.copytree(content_folder("worlds") / "chat", world, ignore=shutil.ignore_patterns("__pycache__"))
    if not builds:
        code = world / "src" / "world.py"
        kept, found, _ = code.read_text(encoding="utf-8").partition("    def create_behav_files")
        assert found
        code.write_text(kept, encoding="utf-8")
    return world


def changed(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert text.count(old) >= 1
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
