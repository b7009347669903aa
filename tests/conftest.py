"""Where CI is set, a skipped test is a failed one: something that should be installed is missing."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

# Several tests run at once, each on networks too small for more threads to help.
os.environ.setdefault("OMP_NUM_THREADS", "1")

STRICT = os.environ.get("CI", "").lower() in ("1", "true", "yes")


def _unskipped(report: Any, what: str) -> Any:
    if STRICT and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{what} was skipped, and nothing may be skipped here: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Turn the skip of a test into a failure."""
    return _unskipped((yield), item.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, Any, Any]:
    """Turn the skip of a whole file into a failure."""
    return _unskipped((yield), collector.nodeid)
