"""``unaiverse-lab run --dashboard``: the page at the end of a run."""

from __future__ import annotations

from pathlib import Path

from commands import chat_copy, lab

OWN = '''
from unaiverse_lab.stats import Stats, UIPlot, render_plotly_html

class WStats(Stats):
    def plot(self, since_timestamp=0):
        """Ours."""
        {body}
'''


def test_the_page_that_every_world_has(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    ran = lab("run", "chat", "--ticks", 60, "--dashboard", page)
    assert (ran.returncode, ran.stderr) == (0, "")
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert "ChatRoom: tick 59, 2.95 s" in html
    assert ran.stdout == lab("run", "chat", "--ticks", 60).stdout


def test_the_page_that_the_world_draws_itself(tmp_path: Path) -> None:
    world, page = chat_copy(tmp_path), tmp_path / "page.html"
    stats = world / "src" / "stats.py"
    stats.write_text(OWN.format(body='return render_plotly_html(UIPlot("Ours").to_json(), "Our page", "plotly.js")'))
    ran = lab("run", world, "--ticks", 5, "--dashboard", page)
    assert ran.returncode == 0, ran.stderr
    assert "<title>Our page</title>" in page.read_text(encoding="utf-8")


def test_a_mistake_in_the_worlds_drawing_names_its_line(tmp_path: Path) -> None:
    world = chat_copy(tmp_path)
    (world / "src" / "stats.py").write_text(OWN.format(body="return 1 / 0"))
    ran = lab("run", world, "--ticks", 5, "--dashboard", tmp_path / "page.html")
    assert ran.returncode == 2
    assert "stats.py:7: ZeroDivisionError: division by zero" in ran.stderr


def test_a_page_that_cannot_be_written_is_said_before_the_run(tmp_path: Path) -> None:
    ran = lab("run", "chat", "--ticks", 5, "--dashboard", tmp_path / "no" / "page.html")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "give the name of a file in a folder that exists" in ran.stderr
