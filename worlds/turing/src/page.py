"""The leader boards as one HTML page: no script, nothing to fetch, every text escaped."""

from collections.abc import Iterable
from html import escape
from typing import NamedTuple

from .scores import Votee, Voter
from .verdicts import AI, HUMAN

COUNTERS = {
    "n_total_agents": "guests so far",
    "hotel_n_agents_present": "at the tables",
    "hotel_n_agents_waiting": "in the hall",
    "hotel_n_floors_active": "floors open",
    "hotel_n_rooms_active": "rooms in use",
    "hotel_n_rooms_overbooked": "overbooked",
}
KINDS = {HUMAN: "human", AI: "program"}


class Board(NamedTuple):
    """The scores of one stretch of time."""

    title: str
    votes: int
    counts: dict[str, dict[str, int]]
    votees: list[Votee]
    voters: list[Voter]


def page(counters: dict[str, int], boards: list[Board], skipped: int) -> str:
    """The whole page; the boards become tabs."""
    tiles = "".join(
        f"<li><b>{counters.get(name, 0)}</b><span>{escape(text)}</span></li>" for name, text in COUNTERS.items()
    )
    picks = "".join(
        f'<input type="radio" name="tab" id="tab{number}"{" checked" * (not number)}>'
        f'<label for="tab{number}">{escape(board.title)}</label>'
        for number, board in enumerate(boards)
    )
    panes = "".join(
        f'<section class="pane pane{number}">{_board(board)}</section>' for number, board in enumerate(boards)
    )
    shown = "".join(
        f"#tab{number}:checked~.pane{number}{{display:grid}}#tab{number}:focus-visible+label{{outline:2px solid}}"
        for number in range(len(boards))
    )
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Turing Hotel</title>'
        f"<style>{STYLE}{shown}</style></head><body><main>"
        "<header><h1>Turing Hotel</h1><p>Who is human? Guests chat under false names, then vote.</p></header>"
        f'<ul class="tiles">{tiles}</ul><nav>{picks}{panes}</nav>'
        f"<footer>{skipped} {'vote was' if skipped == 1 else 'votes were'} not understood and "
        f"{'is' if skipped == 1 else 'are'} counted nowhere.</footer></main></body></html>"
    )


def _board(board: Board) -> str:
    if not board.votes:
        return '<p class="empty">Nobody has voted yet.</p>'
    programs = _table(
        ("Program", "Votes", "Fooled", "Lines", "Turing score"),
        (
            (one.who, str(one.votes), f"{one.fooling_rate:.1f}%", f"{one.avg_msgs:.1f}", _bar(one.turing_score))
            for one in board.votees
        ),
    )
    judges = _table(
        ("Judge", "Votes", "Precision", "Recall", "Detection score"),
        (
            (one.who, str(one.votes), _share(one.precision), _share(one.recall), _bar(one.detection_score))
            for one in board.voters
        ),
    )
    return (
        f"<article><h2>Best impostors</h2>{programs}</article>"
        f"<article><h2>Best judges</h2>{judges}</article>"
        f"<article><h2>{board.votes} judgements</h2>{_confusion(board.counts)}</article>"
    )


class Html(str):
    """Text that is markup already."""


def _cell(value: str) -> str:
    return value if isinstance(value, Html) else escape(value)


def _table(head: Iterable[str], rows: Iterable[tuple[str, ...]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _bar(score: float | None) -> Html:
    if score is None:
        return Html('<span class="none">n/a</span>')
    return Html(f'<span class="bar"><i style="width:{min(score, 100.0):.1f}%"></i></span><b>{score:.1f}</b>')


def _share(value: float | None) -> str:
    return "n/a" if value is None else f"{100 * value:.0f}%"


def _confusion(counts: dict[str, dict[str, int]]) -> str:
    rows = []
    for truth, votes in counts.items():
        total = sum(votes.values())
        cells = [
            Html(
                f'<span class="{"right" if truth == vote else "wrong"}" style="--share:{count / (total or 1):.2f}">'
                f"<b>{count}</b> {100 * count / total if total else 0:.1f}%</span>"
            )
            for vote, count in votes.items()
        ]
        rows.append((f"is a {KINDS[truth]}", *cells))
    return _table(("", *(f"taken for a {KINDS[vote]}" for vote in (HUMAN, AI))), rows)


STYLE = """
:root{color-scheme:light dark;--ink:#1d2433;--soft:#5d6779;--paper:#f4f5f8;--card:#fff;--line:#e1e5ec;--hue:#3566d6;
--right:53 152 102;--wrong:206 84 63}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebf2;--soft:#9aa5b8;--paper:#12161f;--card:#1b2130;--line:#2b3345;
--hue:#7ba2ff;--right:72 176 122;--wrong:226 106 84}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1080px;margin:0 auto;padding:36px 20px}
h1{margin:0;font-size:30px;letter-spacing:-.02em}header p{margin:2px 0 22px;color:var(--soft)}
h2{margin:0 0 10px;font-size:17px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:12px;margin:0 0 26px;padding:0;
list-style:none}
.tiles li,article{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 18px}
.tiles b{display:block;font-size:26px;line-height:1.2;font-variant-numeric:tabular-nums}.tiles span{color:var(--soft)}
nav{display:flex;flex-wrap:wrap;gap:6px}nav input{position:absolute;opacity:0}
nav label{padding:5px 14px;border-radius:99px;color:var(--soft);cursor:pointer}
nav input:checked+label{background:var(--hue);color:var(--card)}
.pane{display:none;flex-basis:100%;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:14px;
margin-top:12px}
article{overflow-x:auto}article:last-child{grid-column:1/-1}
table{width:100%;border-collapse:collapse}
th{padding:4px 10px 4px 0;color:var(--soft);font-weight:500;text-align:left;font-size:13px;white-space:nowrap}
td{padding:7px 10px 7px 0;border-top:1px solid var(--line);font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
td:last-child{white-space:nowrap}
.bar{display:inline-block;vertical-align:middle;width:90px;height:8px;margin-right:10px;border-radius:9px;
background:var(--line)}
.bar i{display:block;height:100%;border-radius:9px;background:var(--hue)}
.right,.wrong{display:block;padding:9px 14px;border-radius:8px}
.right{background:rgb(var(--right)/calc(.1 + .4*var(--share)))}
.wrong{background:rgb(var(--wrong)/calc(.1 + .4*var(--share)))}
.none,.empty,footer{color:var(--soft)}footer{margin-top:18px;font-size:13px}
"""
