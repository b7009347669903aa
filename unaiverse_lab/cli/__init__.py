"""The command line: ``unaiverse-lab run | host | join | lint | export | demo | worlds | doctor``.

Modules are imported by the commands that need them, so that ``--help`` answers at once. Exit codes: 0 ok, 1 the run or
the check did not end as hoped, 2 wrong input, 130 stopped with Ctrl+C.
"""

from __future__ import annotations

import io
import os
import sys

import typer

from unaiverse_lab.cli import demo, doctor, export, host, join, lint, run

app = typer.Typer(
    help="Build worlds of agents, run them, check them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for command in (run.run, host.host, join.join, lint.lint, export.export, doctor.worlds, doctor.doctor, demo.demo):
    app.command()(command)


def main() -> None:
    """Run the command line.

    Threads of torch that wait for each other sleep, unless ``OMP_WAIT_POLICY`` is set: networks as small as those of
    the gallery would spend most of their time waiting, and take the processor away from everybody else meanwhile.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    app(prog_name="unaiverse-lab")
