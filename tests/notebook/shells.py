"""A notebook for tests: a shell of IPython of its own, with the cells that define a world."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import unaiverse_lab as lab
from unaiverse_lab.notebook.registry import Registry

WORLD = """%%world School --delta 0.1 --masters Tina
def assign_role(self, profile, is_world_master):
    return "teacher" if is_world_master else "student"
"""
TEACHER = """%%role teacher
async def greet(self, who: str = "you") -> bool:
    self.greeted = getattr(self, "greeted", 0) + 1
    return True
"""
TEACHING = """%%behavior teacher
behav.add_state("init")
behav.add_transit("init", "done", "greet", {"who": "all"})
behav.add_transit("done", "init", "nop")
"""
STUDENT = """%%role student
async def listen(self) -> bool:
    return True

async def answer(self, interaction: lab.Interaction = None) -> bool:
    self.answered = getattr(self, "answered", 0) + 1
    return True
"""
LEARNING = """%%behavior student
behav.add_state("init")
behav.add_transit("init", "ready", "listen")
behav.add_transit("ready", "ready", "answer")
"""
SCHOOL = (WORLD, TEACHER, TEACHING, STUDENT, LEARNING)
SESSION = """s = lab.Session(School, seed=3)
s.add(lab.Agent(), "Tina")
s.add(lab.Agent(), "Ann")
s.step(3)
"""


class Notebook:
    """Cells are run one after the other; what they print is in ``printed``."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.shell: Any = InteractiveShell(colors="nocolor")
        self.shell.history_manager.enabled = False
        self.capsys = capsys
        self.printed = ""
        self.shell.user_ns["lab"] = lab
        lab.load_ipython_extension(self.shell)

    def run(self, *cells: str, fails: bool = False) -> str:
        """Run cells; what they printed is returned."""
        self.capsys.readouterr()
        failed = False
        for cell in cells:
            failed = not self.shell.run_cell(cell, store_history=True).success
        captured = self.capsys.readouterr()
        self.printed = captured.out + captured.err
        assert failed is fails, self.printed
        return self.printed

    @property
    def registry(self) -> Registry:
        found: Registry = self.shell.unaiverse_lab()
        return found

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]

    def agent(self, name: str) -> Any:
        """The agent of the session ``s``."""
        return self["s"].agent(name)
