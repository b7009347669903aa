"""A figure as a web page that needs nothing from the network."""

from __future__ import annotations

import json as _json
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from unaiverse_lab.core.errors import LabError

_STYLE = (
    "html,body{margin:0;min-height:100%}"
    "main{max-width:1500px;margin:0 auto}"
    "noscript{display:block;padding:2em;font-family:sans-serif}"
)
_LEAST = 900
"""Pixels across that several panels need; a narrower window scrolls."""

_DRAW = (
    "(function(){var box=document.currentScript.previousElementSibling,figure=%s;"
    "figure.layout.autosize=true;"
    "Plotly.newPlot(box,figure.data,figure.layout,{responsive:true,displaylogo:false});})();"
)


class Page(str):
    """A web page that shows a figure.

    Attributes:
        figure: the figure, for those who draw it by themselves.
    """

    __slots__ = ("figure",)

    figure: dict[str, Any]

    def __new__(cls, figure: dict[str, Any], html: str) -> Page:
        page = super().__new__(cls, html)
        page.figure = figure
        return page


def render_plotly_html(
    json: Mapping[str, Any] | str, title: str = "World Overview", include_plotlyjs: bool | str = True
) -> str:
    """A figure as HTML.

    Args:
        json: what ``to_json()`` of a panel or a dash gives, as a dict or as text.
        title: of the page.
        include_plotlyjs: True: a page complete in itself (about 5 MB), with the library from the installed plotly.
            A path or address: a page that takes the library from there. False: no page but a small piece of HTML, for
            a page in which ``Plotly`` is there already.

    Raises:
        LabError: it is no figure, or plotly is not installed.
    """
    figure = _figure(json)
    draw = _DRAW % _embedded(figure)
    label = escape(title, quote=True)
    drawing = f'<div class="figure" role="img" aria-label="{label}"></div><script>{draw}</script>'
    if include_plotlyjs is False:
        return drawing
    # Only these very scripts run, and nothing is fetched: a second line of defence behind the escaping.
    # plotly compiles the code of its large charts at run time, hence 'unsafe-eval'.
    if include_plotlyjs is True:
        script, allowed = _script(plotly_js())
    else:
        script, allowed = f'<script src="{escape(include_plotlyjs, quote=True)}"></script>', "'self' file: http: https:"
    policy = (
        f"default-src 'none'; script-src {allowed} {_source(draw)} 'unsafe-eval'; "
        "style-src 'unsafe-inline'; img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'"
    )
    wide = any(key.startswith("xaxis") and key not in ("xaxis", "xaxis1") for key in figure["layout"])
    style = _STYLE + (f"main{{min-width:{_LEAST}px}}" if wide else "")
    paper = escape(str(figure["layout"].get("paper_bgcolor", "#ffffff")), quote=True)
    return Page(
        figure,
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{label}</title><style>{style}</style>{script}</head><body style="background:{paper}">'
        "<noscript>This page draws its charts with JavaScript, which is switched off here.</noscript>"
        f"<main>{drawing}</main></body></html>\n",
    )


def plotly_js() -> str:
    """The text of plotly.js, as the installed plotly package ships it.

    Raises:
        LabError: plotly is not installed.
    """
    package = find_spec("plotly")  # finds it without importing it
    for folder in (package and package.submodule_search_locations) or ():
        library = Path(folder) / "package_data" / "plotly.min.js"
        if library.is_file():
            return library.read_text(encoding="utf-8")
    raise LabError(
        "a dashboard's page takes plotly.js from the package plotly, which is not installed. "
        "Install it with: pip install 'unaiverse-lab[notebook]'"
    )


@lru_cache(maxsize=1)
def _script(library: str) -> tuple[str, str]:
    """A library as a script of a page, and by what the page allows it."""
    library = library.replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return f"<script>{library}</script>", _source(library)


def _figure(json: Mapping[str, Any] | str) -> dict[str, Any]:
    try:
        figure = _json.loads(json) if isinstance(json, str) else dict(json)
        return {"data": list(figure["data"]), "layout": dict(figure["layout"])}
    except (KeyError, TypeError, ValueError) as error:
        raise LabError(
            'this is no figure: expected {"data": [...], "layout": {...}}, as to_json() of a panel or a dash gives it'
        ) from error


def _embedded(value: Any) -> str:
    """JSON that cannot end the script it is in."""
    text = _json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _source(script: str) -> str:
    return f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'"
