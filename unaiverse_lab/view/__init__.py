"""Drawings and words for machines and traces: pure functions, no notebook needed.

Everything that a widget shows exists here first, made from a machine (a dict in the JSON format of behaviors)
and a trace (:mod:`unaiverse_lab.core.records`) alone, so that static, live and test output cannot disagree.
"""

from unaiverse_lab.view._moment import Verdict
from unaiverse_lab.view._past import Past
from unaiverse_lab.view.bundle import Status, image_html, machine_html, session_html, session_text
from unaiverse_lab.view.dashboard import core_dash, core_dashboard
from unaiverse_lab.view.explain import Explanation, why
from unaiverse_lab.view.figure import figure_html, figure_text
from unaiverse_lab.view.graph import Edge, Graph, Label, Node, graph_of, machine_text
from unaiverse_lab.view.layout import Box, Layout, Route, Spot, layout_of
from unaiverse_lab.view.svg import machine_svg
from unaiverse_lab.view.text import records_text, sentence, table_html, transitions_text
from unaiverse_lab.view.timeline import machines_of, timeline_svg

__all__ = [
    "Box",
    "Edge",
    "Explanation",
    "Graph",
    "Label",
    "Layout",
    "Node",
    "Past",
    "Route",
    "Spot",
    "Status",
    "Verdict",
    "core_dash",
    "core_dashboard",
    "figure_html",
    "figure_text",
    "graph_of",
    "image_html",
    "layout_of",
    "machine_html",
    "machine_svg",
    "machine_text",
    "machines_of",
    "records_text",
    "sentence",
    "session_html",
    "session_text",
    "table_html",
    "timeline_svg",
    "transitions_text",
    "why",
]
