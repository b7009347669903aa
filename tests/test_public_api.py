"""The names a user types, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import unaiverse_lab

HEAVY = ("torch", "plotly", "nats", "IPython", "ipywidgets", "anywidget", "jupyter_server")


@pytest.mark.parametrize("name", unaiverse_lab.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(unaiverse_lab, name) is not None
    assert name in dir(unaiverse_lab)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Sesion"):
        _ = unaiverse_lab.Sesion  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "work",
    ["", "[getattr(unaiverse_lab, name) for name in unaiverse_lab.__all__]", "unaiverse_lab.load('chat').step(9)"],
)
def test_importing_and_running_a_world_loads_nothing_heavy(work: str) -> None:
    program = f"import sys, unaiverse_lab\n{work}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "unaiverse_lab" in loaded
    assert not set(HEAVY) & set(loaded)
