"""The stepper, on the screen: hands, eyes, keys, and notebooks reopened without a kernel."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import nbformat
import papermill
from nbformat.sign import NotebookNotary
from playwright.sync_api import Locator, expect

from tests.browser.pages import Lab, Notebook

Opens = Callable[[Sequence[str]], Notebook]

CHAT = "import unaiverse_lab as lab\ns = lab.load('chat')"
SHOW = "w = s.stepper(agent='Ada')\nw"


def root_of(shown: Notebook, index: int = 1) -> Locator:
    root = shown.output(index).locator(".ul-root")
    expect(root).to_be_visible()
    return root


def status(root: Locator, words: str) -> None:
    expect(root.locator(".ul-status")).to_contain_text(words)


def press(root: Locator, name: str) -> None:
    root.get_by_role("button", name=re.compile(f"^{name}")).first.click()


def ready(shown: Notebook, *before: str) -> Locator:
    """Run the first cells; the stepper is below the second."""
    shown.run(0).run(1)
    root = root_of(shown)
    expect(root.get_by_role("button", name="Step: ")).to_have_attribute("aria-disabled", "false")
    return root


def test_steps_by_click_and_by_key_are_those_of_the_kernel(notebook: Opens) -> None:
    shown = notebook([CHAT, SHOW])
    root = ready(shown)
    status(root, "before the first tick")
    for tick in range(10):
        press(root, "Step: ")
        status(root, f"tick {tick} ")
    root.locator(".ul-graph-box").click()
    for tick in range(10, 20):
        shown.press("F10" if tick % 2 else "s")
        status(root, f"tick {tick} ")
    assert shown.python("s.tick") == 19
    assert root.get_attribute("data-to") == str(shown.python("len(s.trace)"))
    state = shown.python("s.agent('Ada').behav.get_state_name(consider_limbo=True)")
    expect(root.locator(".ul-current .ul-name")).to_have_text(state)
    expect(root.locator(".ul-why")).to_have_text(shown.python("s.why('Ada').explanation.headline"))
    expect(root.locator(".ul-people [aria-pressed=true]")).to_contain_text("Ada")
    shown.screenshot("steps", 1)
    assert shown.errors == []


def test_no_key_reaches_the_notebook(notebook: Opens) -> None:
    shown = notebook([CHAT, SHOW, "1"])
    root = ready(shown)
    root.locator(".ul-graph-box").click()
    cells = shown.cells
    for key in ("b", "a", "x", "d", "d", "z", "Enter", "Shift+Enter", "j", "k", "m"):
        shown.press(key)
    assert shown.cells == cells
    shown.press("Escape")
    assert not root.evaluate("root => root.contains(document.activeElement)")
    shown.press("b")
    shown.until(lambda: shown.cells == cells + 1, "a cell below: outside the stepper the key is the notebook's")


def test_the_cursor_looks_back_and_the_world_stays(notebook: Opens) -> None:
    shown = notebook([CHAT, SHOW, "s.run(max_cycles=60);"])
    root = ready(shown)
    shown.run(2)
    status(root_of(shown), "tick 59 ")
    root = root_of(shown)
    press(root, "One tick back")
    status(root, "tick 58 · 2.9 s · looking back; the world is at tick 59")
    root.locator(".ul-graph-box").click()
    shown.press("Home")
    status(root, "before the first tick")
    for _ in range(3):
        shown.press("Shift+ArrowRight")
    status(root, "tick 29 ")
    expect(root.locator(".ul-why")).to_have_text(shown.python("s.why('Ada', 29).explanation.headline"))
    shown.press(".")
    status(root, ", record 1")
    shown.press("End")
    status(root, "tick 59 · 2.95 s · paused")
    assert shown.python("s.tick") == 59


def test_restart_here_makes_the_world_what_it_was(notebook: Opens) -> None:
    shown = notebook([CHAT, SHOW, "s.run(max_cycles=60);\nfull = s.digest()"])
    root = ready(shown)
    shown.run(2)
    root = root_of(shown)
    status(root, "tick 59 ")
    for _ in range(5):
        press(root, "One tick back")
    press(root, "Restart here")
    root.locator(".ul-drawer").get_by_role("button", name="Restart here").click()
    status(root, "tick 54 · 2.7 s · went back")
    assert shown.python("s.tick") == 54
    for tick in range(55, 60):
        press(root, "Step: ")
        status(root, f"tick {tick} ")
    assert shown.python("s.digest() == full") is True


def test_it_runs_in_the_background_and_pauses(notebook: Opens) -> None:
    shown = notebook([CHAT, SHOW])
    root = ready(shown)
    root.locator(".ul-graph-box").click()
    shown.press(" ")
    status(root, "running")
    shown.until(lambda: shown.python("s.tick") > 200, "200 ticks")
    press(root, "Pause: ")
    status(root, "paused")
    tick = shown.python("s.tick")
    status(root, f"tick {tick} ")
    assert shown.python("s.running") is False
    assert int(root.get_attribute("data-to") or 0) == shown.python("len(s.trace)")


def test_a_cell_that_keeps_the_kernel_busy_can_be_paused(notebook: Opens) -> None:
    busy = "import time\nr = s.run(until=lambda s: time.sleep(0.005) or s.tick > 5000)"
    shown = notebook([CHAT, SHOW, busy])
    root = ready(shown)
    shown.run(2, wait=False)
    status(root, "running")
    press(root, "Pause: ")
    shown.until(lambda: "*" not in shown.cell(2).locator(".jp-InputPrompt").first.inner_text(), "the cell to end", 10)
    assert shown.python("r.reason") == "paused"
    status(root_of(shown), "paused")


def test_breakpoints_and_run_until(notebook: Opens) -> None:
    shown = notebook([CHAT, SHOW])
    root = ready(shown)
    press(root, "Step: ")
    status(root, "tick 0 ")
    press(root, "Step: ")
    root.locator(".ul-state").filter(has_text="message_sent").click()
    press(root, "Stop here")
    shown.until(lambda: shown.python("list(s.breakpoints)") == ["user:message_sent"], "the breakpoint")
    press(root, "Run: ")
    expect(root.locator(".ul-note")).to_contain_text("Stopped by the breakpoint user:message_sent")
    assert shown.python("s.hits[0].breakpoint") == "user:message_sent"
    press(root, "Do not stop here")
    shown.until(lambda: shown.python("list(s.breakpoints)") == [], "the breakpoint to be gone")
    press(root, "Until: ")
    root.get_by_label("Condition").fill("Polly:generate_and_send() ok")
    shown.press("Enter")
    status(root, "got there")
    moved = "[r.action for r in s.micro_steps() if r.node == 'Polly' and r.kind == 'transition']"
    assert "generate_and_send" in shown.python(moved)
    press(root, "Until: ")
    root.get_by_label("Condition").fill("Poly:message_sent")
    shown.press("Enter")
    expect(root.locator(".ul-note")).to_contain_text("there is no node or role 'Poly'")


def test_a_person_s_line_is_injected(notebook: Opens) -> None:
    shown = notebook([CHAT, SHOW, "s.run(max_cycles=20);"])
    ready(shown)
    shown.run(2)
    root = root_of(shown)
    status(root, "tick 19 ")
    root.locator(".ul-graph-box").click()
    shown.press("i")
    root.get_by_label("Line, or arguments").fill("Hello there")
    shown.press("Enter")
    shown.until(
        lambda: "Hello there" in str(shown.python("[r.value for r in s.trace if r.kind == 'inject']")), "the line"
    )
    root.get_by_role("tab", name="Messages").click()
    expect(root.locator(".ul-page")).to_contain_text("Hello there")


def test_ten_thousand_records_arrive_and_a_gap_is_filled(notebook: Opens) -> None:
    cells = [CHAT, SHOW, "s.run(max_cycles=1300);", "w.feed.seq += 1\ns.step(3);", "s.step();"]
    shown = notebook(cells)
    ready(shown)
    shown.run(2)
    root = root_of(shown)
    status(root, "tick 1299 ")
    count = shown.python("len(s.trace)")
    assert count > 10_000
    expect(root).to_have_attribute("data-to", str(count))
    expect(root).to_have_attribute("data-from", "0")
    shown.run(3)
    expect(root_of(shown)).to_have_attribute("data-to", str(shown.python("len(s.trace)")))
    shown.run(4)
    root = root_of(shown)
    expect(root).to_have_attribute("data-to", str(shown.python("len(s.trace)")))
    expect(root.locator(".ul-note")).to_be_hidden()


def test_after_a_long_run_old_ticks_are_fetched(notebook: Opens) -> None:
    shown = notebook([CHAT, SHOW, "s.run(max_cycles=4000);"])
    ready(shown)
    shown.run(2)
    root = root_of(shown)
    status(root, "tick 3999 ")
    root.locator("input[type=range]").evaluate(
        "slider => { slider.value = 41; slider.dispatchEvent(new Event('input')); }"
    )
    status(root, "tick 41 ")
    expect(root.locator(".ul-why")).to_have_text(shown.python("s.why('Ada', 41).explanation.headline"))
    press(root, "To the present")
    status(root, "tick 3999 · 199.95 s · paused")
    press(root, "Step: ")
    status(root, "tick 4000 ")


def test_whatever_names_contain_is_text(notebook: Opens) -> None:
    evil = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>"
    cells = [
        CHAT + f"\ns.add(lab.Agent(), {evil!r}, role_preference='user')",
        f"w = s.stepper(agent={evil!r})\nw",
        f"s.run(max_cycles=30);\ns.say('Ada', {evil!r})\ns.run(max_cycles=30);",
    ]
    shown = notebook(cells)
    ready(shown)
    shown.run(2)
    root = root_of(shown)
    status(root, "tick 59 ")
    for tab in ("Messages", "Records", "Why"):
        root.get_by_role("tab", name=tab).click()
    press(root, "Table")
    expect(root.locator(".ul-where")).to_contain_text("<img src=x")
    assert shown.page.evaluate("window.hacked === undefined")
    assert root.locator("img, script").count() == 0


AUDIT = """
root => {
  const words = (node) => node.getAttribute("aria-label") || node.textContent || node.labels?.[0]?.textContent || "";
  const named = (node) => words(node).trim();
  const found = [];
  for (const node of root.querySelectorAll("button, input, select, [role=button], [role=toolbar], section")) {
    if (!named(node) && node.checkVisibility()) found.push(node.outerHTML.slice(0, 120));
  }
  for (const node of root.querySelectorAll("svg:not([aria-hidden=true]):not(svg svg)")) {
    if (!node.getAttribute("aria-label")) found.push(`svg without a name: ${node.outerHTML.slice(0, 80)}`);
  }
  for (const role of ["toolbar", "tablist", "tab", "tabpanel", "status"]) {
    if (!root.querySelector(`[role=${role}]`)) found.push(`no ${role}`);
  }
  if (!root.querySelector("[aria-live=polite]")) found.push("no live region");
  if (root.scrollWidth > root.clientWidth + 1) found.push(`wider than its place: ${root.scrollWidth}`);
  for (const node of root.querySelectorAll("button")) {
    const { width, height } = node.getBoundingClientRect();
    if (node.checkVisibility() && (width < 16 || height < 16)) found.push(`small: ${node.outerHTML.slice(0, 80)}`);
  }
  return found;
}
"""


def test_everything_has_a_name_in_wide_and_narrow_places(notebook: Opens) -> None:
    shown = notebook([CHAT, SHOW, "s.run(max_cycles=80);"])
    ready(shown)
    shown.run(2)
    root = root_of(shown)
    status(root, "tick 79 ")
    press(root, "Table")
    assert root.evaluate(AUDIT) == []
    press(root, "Table")
    for width in (1400, 700):
        shown.page.set_viewport_size({"width": width, "height": 1200})
        shown.page.wait_for_timeout(300)
        for tab in ("Now", "Why", "Messages", "Records"):
            root.get_by_role("tab", name=tab).click()
            assert root.evaluate(AUDIT) == []
        shown.screenshot(f"wide-{width}", 1)
    shown.page.emulate_media(reduced_motion="reduce")
    assert shown.errors == []


def test_views_do_not_pile_up(notebook: Opens) -> None:
    shown = notebook([CHAT, SHOW, "s.step(2);", "1 + 1"])
    ready(shown)
    press(root_of(shown), "Table")
    expect(root_of(shown).locator(".ul-table-box")).to_be_visible()
    for _ in range(3):
        shown.run(2)
    root = root_of(shown)
    status(root, "tick 5 ")
    expect(root.locator(".ul-table-box")).to_be_visible()
    assert shown.output(1).locator(".ul-root").count() == 1
    root.evaluate("root => { root.mine = true; }")
    shown.run(3)
    shown.page.wait_for_timeout(300)
    assert root_of(shown).evaluate("root => root.mine === true"), "a cell that does nothing draws nothing anew"


def test_a_cell_that_is_run_again_shows_a_new_one_instead(notebook: Opens) -> None:
    shown = notebook([CHAT, "s.stepper()", "s.step(2);"])
    ready(shown)
    for _ in range(3):
        shown.run(1)
    shown.run(2)
    status(root_of(shown), "tick 1 ")
    assert shown.python("len(s.watchers)") == 1


def executed(lab: Lab, name: str) -> Path:
    """A notebook that papermill has run."""
    cells = [CHAT, SHOW, "s.run(max_cycles=90);\nprint(s.why('Ada').explanation.headline)"]
    path = lab.write(name, cells)
    papermill.execute_notebook(path, path, progress_bar=False)
    assert path.stat().st_size < 400_000
    return path


def test_a_trusted_notebook_replays_without_its_kernel(lab: Lab) -> None:
    path = executed(lab, "trusted")
    made = nbformat.read(path, as_version=4)
    NotebookNotary(data_dir=str(lab.server.home / "data")).sign(made)
    shown = lab.open(path)
    root = root_of(shown)
    status(root, "tick 89 · 4.45 s · replay")
    expect(root.locator(".ul-why")).to_have_text(made.cells[2].outputs[0].text.strip())
    root.locator(".ul-graph-box").click()
    for _ in range(5):
        shown.press("Shift+ArrowLeft")
    status(root, "tick 39 ")
    expect(root.locator(".ul-current .ul-name")).to_have_text("ready")
    expect(root.get_by_role("button", name="Step: ")).to_have_attribute("aria-disabled", "true")
    expect(root.locator(".ul-note")).to_contain_text("no kernel")
    shown.screenshot("replay", 1)
    assert shown.errors == []


def test_an_untrusted_notebook_shows_a_picture_and_a_table(lab: Lab) -> None:
    shown = lab.open(executed(lab, "untrusted"))
    output = shown.output(1)
    expect(output.locator("table").first).to_contain_text("Broadcaster")
    expect(output.locator("img").first).to_be_visible()
    assert output.locator("img").first.evaluate("image => image.naturalWidth > 100")
    assert output.locator(".ul-root").count() == 0


def test_an_arrow_shows_what_led_to_it_and_what_followed(notebook: Opens) -> None:
    shown = notebook([CHAT, SHOW, "s.run(max_cycles=60);"])
    root = ready(shown)
    shown.run(2)
    status(root, "tick 59 ")
    asked = root.locator(".ul-arrow", has_text=re.compile("Broadcaster: broadcast_message")).first
    asked.locator(".ul-tip").hover(force=True)
    chain = root.locator(".ul-arrow.ul-chain title")
    expect(chain).not_to_have_count(0)
    words = chain.all_text_contents()
    speaker = next(text.partition(" → ")[0] for text in words if "broadcast_message" in text)
    heard = {text.partition(" → ")[2].partition(":")[0] for text in words if text.startswith("Broadcaster → ")}
    assert heard == {"ChatAI", "Polly", "Ada"} - {speaker}
    shown.screenshot("chain", 1)
    root.locator(".ul-scroll").evaluate("box => box.dispatchEvent(new Event('scroll'))")  # all arrows are drawn anew
    root.locator(".ul-why").hover()
    expect(root.locator(".ul-arrow.ul-chain")).to_have_count(0)
