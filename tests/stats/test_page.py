"""The page of a figure: complete, harmless, the same every time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from unaiverse_lab.core.errors import LabError
from unaiverse_lab.stats import UIPlot, WorldSidebarDash, page, render_plotly_html
from unaiverse_lab.stats.dashes import DefaultBaseDash

EVIL = "</script><img src=x onerror=\"document.title='run'\"><!--\u2028"
ROOT = Path(__file__).parents[2]


def evil_dash() -> WorldSidebarDash:
    dash = WorldSidebarDash(EVIL)
    lines, bars, table = UIPlot(EVIL), UIPlot(EVIL), UIPlot(EVIL)
    lines.add_line([0, 1], [1, 2], EVIL)
    bars.add_bar([EVIL, "b"], [1, 2], EVIL)
    table.add_table([EVIL], [[EVIL]])
    dash.add_panel(lines, "center_top")
    dash.add_panel(bars, "center_bot")
    dash.add_panel(table, "left_mid")
    return dash


class Parsed(HTMLParser):
    """Tags, attributes and scripts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.scripts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and self.scripts:
            self.scripts[-1] += data


def test_a_page_is_complete_and_refers_to_nothing() -> None:
    html = render_plotly_html(evil_dash().to_json(), title=EVIL)
    parsed = Parsed(html)
    assert parsed.tags.count("script") == 2
    assert parsed.tags.count("title") == 1
    assert "img" not in parsed.tags
    assert not [name for name, _ in parsed.attributes if name in ("src", "href") or name.startswith("on")]
    (policy,) = [value for name, value in parsed.attributes if name == "content" and value and "default-src" in value]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy
    assert "connect-src" not in policy
    assert "plotly.js v" in html[:3000]


def test_the_figure_is_in_the_page_as_it_is() -> None:
    figure = evil_dash().to_json()
    figure["data"][0]["name"] = EVIL  # not made by our methods, hence as dangerous as can be
    script = Parsed(render_plotly_html(figure, include_plotlyjs=False)).scripts[0]
    embedded = script[script.index("figure=") + 7 : script.index(";figure.layout")]
    assert not set("<>&\u2028\u2029") & set(embedded)
    assert json.loads(embedded) == figure


def test_a_fragment_is_small_and_text_is_as_good_as_a_dict() -> None:
    figure = evil_dash().to_json()
    fragment = render_plotly_html(figure, include_plotlyjs=False)
    assert fragment.startswith("<div")
    assert len(fragment) < 20_000
    assert render_plotly_html(json.dumps(figure), include_plotlyjs=False) == fragment


def test_a_page_may_take_the_library_from_elsewhere() -> None:
    html = render_plotly_html(evil_dash().to_json(), include_plotlyjs='lib/plotly.min.js"')
    assert ("src", 'lib/plotly.min.js"') in Parsed(html).attributes
    assert len(html) < 20_000


def test_the_title_is_text() -> None:
    assert "<title>World Overview</title>" in render_plotly_html(UIPlot().to_json(), include_plotlyjs="x.js")
    html = render_plotly_html(UIPlot().to_json(), "</title><b>", "x.js")
    assert "<title>&lt;/title&gt;&lt;b&gt;</title>" in html


def test_a_narrow_window_scrolls_rather_than_squeezes_several_panels() -> None:
    assert "min-width:900px" in render_plotly_html(evil_dash().to_json(), include_plotlyjs="x.js")
    assert "min-width:900px" not in render_plotly_html(UIPlot().to_json(), include_plotlyjs="x.js")


@pytest.mark.parametrize("wrong", ["[]", "not json", "{}", {"data": []}, '{"data": 1, "layout": {}}'])
def test_what_is_no_figure_is_an_error(wrong: object) -> None:
    with pytest.raises(LabError, match="this is no figure"):
        render_plotly_html(wrong)  # type: ignore[arg-type]


def test_without_plotly_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "find_spec", lambda name: None)
    with pytest.raises(LabError, match=r"pip install 'unaiverse-lab\[notebook\]'"):
        render_plotly_html(UIPlot().to_json())


def test_plotly_itself_is_not_imported() -> None:
    code = (
        "import sys; from unaiverse_lab.stats import UIPlot, render_plotly_html; render_plotly_html(UIPlot().to_json())"
        "; assert 'plotly' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_pages_are_the_same_whatever_the_hash_seed() -> None:
    code = (
        "import hashlib, sys; from tests.stats.test_plots import everything; "
        "from unaiverse_lab.stats import render_plotly_html; "
        "print(hashlib.sha256(render_plotly_html(everything().to_json()).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


# ---------------------------------------------------------------------- in a browser


def shown(html: str, folder: Path) -> str:
    """The page as it is after its scripts ran, in a headless Chromium that reaches no network."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    browser = next(filter(None, map(shutil.which, names)), None)
    if browser is None:
        pytest.skip(f"none of {', '.join(names)} is installed (Debian, Ubuntu: apt-get install chromium)")
    (folder / "page.html").write_text(html, encoding="utf-8")
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1200,900",
        f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=10000",
        "--host-resolver-rules=MAP * ~NOTFOUND",
    ]
    ran = subprocess.run(
        [browser, *options, "--dump-dom", (folder / "page.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stderr[-500:]
    return ran.stdout


@pytest.mark.browser
def test_a_browser_draws_the_page_under_its_own_policy(tmp_path: Path) -> None:
    html = shown(render_plotly_html(evil_dash().to_json(), title="A title"), tmp_path)
    assert "<title>A title</title>" in html
    assert 'class="main-svg"' in html
    assert "<img" not in html.split("<body")[1]


@pytest.mark.browser
def test_names_run_nothing_and_nothing_is_fetched_even_without_the_policy(tmp_path: Path) -> None:
    report = "document.title = 'fetched ' + performance.getEntriesByType('resource').length"
    html = shown(
        f"<!DOCTYPE html><html><head><title>before</title><script>{page.plotly_js()}</script></head><body>"
        f"{render_plotly_html(evil_dash().to_json(), include_plotlyjs=False)}"
        f"<script>setTimeout(() => {{ {report} }}, 3000)</script></body></html>",
        tmp_path,
    )
    assert "<title>fetched 0</title>" in html
    body = html.split("<body")[1]
    assert 'class="main-svg"' in body
    assert "<img" not in body
    assert body.count("&lt;/script&gt;&lt;img src=x onerror=") >= 4


@pytest.mark.browser
def test_a_browser_shows_names_as_they_are(tmp_path: Path) -> None:
    dash, panel = DefaultBaseDash(), UIPlot("a < b & c")
    panel.add_table(["<b>head</b>"], [["<i>cell</i> &lt;"]])
    dash.add_panel(panel, "top_left")
    html = shown(render_plotly_html(dash.to_json()), tmp_path)
    words = re.sub(r"<[^>]*>", "", html.split("<main>")[1].split("<script>")[0])
    assert "a &lt; b &amp; c" in words
    assert "&lt;b&gt;head&lt;/b&gt;" in words
    assert "&lt;i&gt;cell&lt;/i&gt; &amp;lt;" in words
