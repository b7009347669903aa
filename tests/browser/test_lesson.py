"""One lesson, from the first cell to the answer why somebody is stuck: what a learner does, click by click.

After each step, what is on the screen and what is in the kernel are compared.
"""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable, Sequence

from playwright.sync_api import Locator, expect

from tests.browser.pages import Notebook

Opens = Callable[[Sequence[str]], Notebook]

CELLS = [
    "import unaiverse_lab as lab",
    """%%world School --delta 0.1 --masters Tina
def assign_role(self, profile, is_world_master):
    return "teacher" if is_world_master else "student"
""",
    """%%role teacher
async def prepare(self) -> bool:
    return True
""",
    """%%action teacher
async def greet(self, who: str = "you") -> bool:
    self.said = "good morning"
    return True
""",
    """%%behavior teacher
behav.add_state("init")
behav.add_transit("init", "ready", "prepare")
behav.add_transit("ready", "greeted", "greet", {"who": "all"})
behav.add_transit("greeted", "ready", "nop")
""",
    """%%role student
async def listen(self) -> bool:
    return self.because("nobody has said a word")
""",
    """%%behavior student
behav.add_state("init")
behav.add_transit("init", "wise", "listen")
""",
    """s = lab.Session(School, seed=7)
s.add(lab.Agent(), "Tina")
s.add(lab.Agent(), "Ann")
st = s.stepper(agent="Tina")
st""",
    """%%action teacher
async def greet(self, who: str = "you") -> bool:
    self.said = "good night"
    return True
""",
]
STEPPER, AGAIN = 7, 8


class Stepper:
    """The stepper below a cell, as a person sees it."""

    def __init__(self, notebook: Notebook) -> None:
        self.notebook = notebook
        self.root: Locator = notebook.output(STEPPER).locator(".ul-root")

    def button(self, name: str) -> Locator:
        """A button of its toolbars, by the first word of its name."""
        return self.root.get_by_role("toolbar").get_by_role("button", name=re.compile(f"^{name}"))

    def press(self, key: str) -> None:
        """A key, with the focus inside."""
        self.root.focus()
        self.notebook.press(key)

    @property
    def tick(self) -> int:
        """The tick at the cursor."""
        return int(self.root.get_by_role("slider", name="Tick at the cursor").input_value())

    def state(self, name: str) -> str:
        """Where an agent is, in the list of agents."""
        label = self.root.locator(".ul-people button").filter(has_text=name).get_attribute("aria-label") or ""
        return label.split(", ")[2]

    def agrees(self) -> int:
        """Wait until screen and kernel say the same of the present; returns its tick."""
        book = self.notebook
        now = book.python("(s.tick, {r[0]: r[2] for r in s.status() if r[1] and r[2]})")

        def same() -> bool:
            return self.tick == now[0] and all(self.state(name) == state for name, state in now[1].items())

        book.until(same, f"the screen to show {now}", 5)
        return int(now[0])


def test_a_lesson(notebook: Opens) -> None:
    shown = notebook(CELLS)
    for index in range(STEPPER + 1):
        shown.run(index)
    stepper = Stepper(shown)
    expect(stepper.button("Step")).to_be_enabled()
    assert shown.python("s.tick") == -1

    # Tick by tick, by click and by key.
    for _ in range(3):
        stepper.button("Step").click()
    shown.until(lambda: stepper.tick == 2, "three ticks")
    assert stepper.agrees() == 2
    for tick in range(3, 8):
        stepper.press("F10")
        shown.until(lambda tick=tick: stepper.tick == tick, f"tick {tick}")
    assert stepper.agrees() == 7
    assert stepper.state("Tina") in ("ready", "greeted")
    shown.screenshot("1-stepped", STEPPER)

    # Keys are the stepper's, not the notebook's.
    count = shown.cells
    for key in ("b", "a", "x", "d", "d"):
        stepper.press(key)
    shown.page.wait_for_timeout(200)
    assert shown.cells == count
    shown.until(lambda: not shown.python("s.running"), "rest")
    before = stepper.agrees()

    # A breakpoint, set in the machine's own picture; a run reaches it.
    stepper.press("t")
    stepper.root.locator(".ul-table-box").get_by_role("button", name="greeted", exact=True).click()
    stepper.root.get_by_role("button", name="Stop here").click()
    stepper.press("t")
    expect(stepper.root.get_by_role("button", name="Do not stop here")).to_be_visible()
    assert shown.python("list(s.breakpoints)") == ["teacher:greeted"]
    stepper.press("F9")
    note = stepper.root.get_by_role("status")
    expect(note).to_contain_text("Stopped by the breakpoint")
    hit = stepper.agrees()
    assert hit > before
    assert stepper.state("Tina") == "greeted"
    assert shown.python("s.hits[0].record.target") == "greeted"
    shown.screenshot("2-breakpoint", STEPPER)
    shown.python("s.unbreak()")

    # Five ticks back is only a look; "restart here" makes it so.
    for _ in range(5):
        stepper.press("ArrowLeft")
    shown.until(lambda: stepper.tick == hit - 5, "the cursor to be five ticks back")
    assert shown.python("s.tick") == hit
    expect(stepper.root.locator(".ul-status")).to_contain_text("looking back")
    shown.screenshot("3-looking-back", STEPPER)
    stepper.press("r")
    stepper.root.get_by_role("button", name="Restart here", exact=True).click()
    shown.until(lambda: shown.python("s.tick") == hit - 5, "the world to be there")
    assert stepper.agrees() == hit - 5

    # An action is defined anew while the world runs.
    stepper.root.get_by_role("combobox", name="Speed, ticks/s").select_option("20")
    stepper.button("Run").click()
    shown.until(lambda: shown.python("s.running and s.tick > 12"), "the run to be under way")
    assert shown.python("s.agent('Tina').said") == "good morning"
    shown.run(AGAIN)
    shown.until(lambda: shown.python("s.agent('Tina').said") == "good night", "the new action to act")
    assert shown.python("s.running") is True
    stepper.button("Pause").click()
    shown.until(lambda: not shown.python("s.running"), "the pause")
    stepper.agrees()
    assert shown.python("sum(r.kind == 'redefine' for r in s.trace) > 0") is True

    # Why is Ann stuck?
    stepper.root.locator(".ul-people button").filter(has_text="Ann").click()
    expect(stepper.root.locator(".ul-why")).to_contain_text("nobody has said a word")
    assert "nobody has said a word" in shown.python("s.why('Ann').text")
    shown.screenshot("4-why", STEPPER)
    assert shown.errors == []


def test_a_click_is_quick(notebook: Opens) -> None:
    shown = notebook(CELLS[: STEPPER + 1])
    for index in range(STEPPER + 1):
        shown.run(index)
    stepper = Stepper(shown)
    stepper.button("Step").click()
    shown.until(lambda: shown.python("s.tick") == 0, "the first tick")
    took = []
    for tick in range(1, 21):
        start = time.perf_counter()
        stepper.button("Step").click()
        shown.page.wait_for_function(
            "tick => Number(document.querySelector('.ul-root input[type=range]').value) === tick", arg=tick
        )
        took.append(time.perf_counter() - start)
    assert shown.python("s.tick") == 20
    assert statistics.median(took) < 0.6, took


def test_pause_reaches_a_cell_that_keeps_the_kernel_busy(notebook: Opens) -> None:
    busy = "import time\nended = s.run(max_cycles=2000, on_tick=lambda s: time.sleep(0.01))"
    shown = notebook([*CELLS[: STEPPER + 1], busy])
    for index in range(STEPPER + 1):
        shown.run(index)
    stepper = Stepper(shown)
    expect(stepper.button("Step")).to_be_enabled()
    shown.run(STEPPER + 1, wait=False)
    pause = stepper.button("Pause")
    expect(pause).to_be_enabled()
    shown.until(lambda: stepper.tick > 20, "the run to be seen while it goes on")
    start = time.perf_counter()
    pause.click()
    shown.until(lambda: "*" not in shown.cell(STEPPER + 1).locator(".jp-InputPrompt").inner_text(), "its end", 5)
    took = time.perf_counter() - start
    assert shown.python("ended.reason") == "paused"
    assert shown.python("ended.ticks") < 1500
    assert took < 2, took
    stepper.agrees()
