"""A person in a world, at a real keyboard."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from playwright.sync_api import expect

from tests.browser.pages import Notebook

Opens = Callable[[Sequence[str]], Notebook]

WORLD = """
import unaiverse_lab as lab
from unaiverse_lab.notebook import HumanPanel

class Guest(lab.Agent):
    @lab.action
    async def knock(self) -> bool:
        return True
    @lab.action
    async def leave(self) -> bool:
        return True

class House(lab.World):
    def assign_role(self, profile, is_world_master):
        return "guest"
"""


def test_a_person_chats_while_the_world_runs(notebook: Opens) -> None:
    cells = [
        "import unaiverse_lab as lab\nfrom unaiverse_lab.notebook import HumanPanel\ns = lab.load('chat')",
        "s.agent('Ada').script.clear()\np = HumanPanel(s, 'Ada')\np",
        "s.start(speed=40)",
        "s.pause();",
    ]
    shown = notebook(cells)
    shown.run(0).run(1).run(2)
    panel = shown.output(1).locator(".ul-human")
    expect(panel).to_contain_text("Ada: user, in ready")
    cells_before = shown.cells
    panel.get_by_label("What to say").click()
    shown.page.keyboard.type("Polly, a cracker <b>now</b>?")
    shown.press("Enter")
    log = panel.get_by_role("log")
    expect(log).to_contain_text("you")
    expect(log).to_contain_text("a cracker <b>now</b>?")
    expect(log).to_contain_text("**Polly:**")
    assert shown.cells == cells_before
    shown.screenshot("talk", 1)
    shown.run(3)
    assert shown.python("[r.value for r in s.trace if r.kind == 'inject']") == ["Polly, a cracker <b>now</b>?"]
    assert shown.errors == []
