"""Finding, starting and stopping a nats-server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from unaiverse_lab.live import broker as module
from unaiverse_lab.live.broker import Broker, BrokerError, BrokerNotFound, find_server, reach


def program(path: Path, says: str = "nats-server: v2.10.3") -> Path:
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit 7\n")
    path.chmod(0o755)
    return path


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def processes_of(folder: Path) -> list[str]:
    """What runs for a broker: its server, and who watches that it ends."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = line.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if f"{folder}/server.conf" in text:
            found.append(text)
    return found


def until(true: Callable[[], Any], seconds: float = 8.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(true())


def test_every_place_that_was_looked_at_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(module.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "scripts"))
    monkeypatch.setattr(module.sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setattr(module, "OFTEN", (str(tmp_path / "sbin"),))
    with pytest.raises(BrokerNotFound) as caught:
        find_server()
    for place in (
        "scripts/nats-server",
        "bin/nats-server",
        "PATH",
        "sbin/nats-server",
        "unaiverse-lab[live]",
        "nats://",
    ):
        assert place in str(caught.value)


def test_the_nearer_place_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, other = program(tmp_path / "mine"), program(tmp_path / "theirs")
    monkeypatch.setenv(module.VARIABLE, str(other))
    assert find_server() == other
    assert find_server(named) == named
    with pytest.raises(BrokerNotFound, match=r"nowhere \(server_bin=\)"):
        find_server(tmp_path / "nowhere")


def test_something_else_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match="is no nats-server"):
        Broker(tmp_path / "b", server_bin=program(tmp_path / "cat", "meow"))
    with pytest.raises(BrokerError, match="ended with code 7"):
        Broker(tmp_path / "b", server_bin=program(tmp_path / "nats-server"))
    with pytest.raises(BrokerError, match="durability is"):
        Broker(durability="some")


def test_addresses_are_taken_as_they_are() -> None:
    assert reach("nats://a:1, nats://b:2") == (["nats://a:1", "nats://b:2"], None)
    for wrong in ("http://a", "nowhere/nats-server", "nats://a,b"):
        with pytest.raises(BrokerError, match="is no broker"):
            reach(wrong)


@pytest.mark.live
def test_a_private_server_starts_and_leaves_nothing(any_broker: Broker) -> None:
    broker = any_broker
    assert broker.pid is not None
    with socket.create_connection(("127.0.0.1", broker.port), timeout=2) as line:
        assert line.recv(4) == b"INFO"
    assert oct((broker.folder / "server.conf").stat().st_mode & 0o777) == "0o600"
    for _ in range(2):
        with pytest.raises(BrokerError, match=f"another broker works in .*: process {broker.pid}"):
            Broker(broker.folder, broker.server)
    assert broker.durability == ("fast" if broker.version < (2, 10) else "normal")
    pid, port = broker.pid, broker.port
    broker.kill()
    assert not alive(pid)
    assert broker.pid is None
    broker.start()
    assert broker.port == port
    pid = broker.pid
    broker.stop()
    assert pid is not None
    assert not alive(pid)
    assert until(lambda: not processes_of(broker.folder))
    broker.stop()


@pytest.mark.live
def test_a_scratch_folder_goes_with_its_server(broker: Broker) -> None:
    urls, mine = reach("embedded")
    assert mine is not None
    assert urls == [mine.url]
    assert mine.url != broker.url
    with mine:
        mine.kill()
        assert mine.pid is None
        assert until(lambda: not processes_of(mine.folder))
        mine.start()
        assert (mine.folder / "server.conf").exists()
    assert not mine.folder.exists()


@pytest.mark.live
@pytest.mark.parametrize("durability", ["fast", "normal", "power"])
def test_it_is_said_when_a_server_knows_no_such_durability(any_broker: Broker, tmp_path: Path, durability: str) -> None:
    if any_broker.version < (2, 10) and durability != "fast":
        with pytest.raises(BrokerError, match="knows only durability='fast'"):
            Broker(tmp_path / "other", any_broker.server, durability)
    else:
        with Broker(tmp_path / "other", any_broker.server, durability) as other:
            assert other.durability == durability


@pytest.mark.live
def test_what_a_newer_server_wrote_is_left_alone(any_broker: Broker) -> None:
    note = any_broker.folder / "store_version.json"
    written = json.loads(note.read_text())
    assert written["server"] == ".".join(map(str, any_broker.version))
    any_broker.stop()
    note.write_text(json.dumps(written | {"server": "99.1.0"}))
    with pytest.raises(BrokerError, match=r"nats-server 99\.1\.0 wrote .* an older one cannot read it"):
        Broker(any_broker.folder, any_broker.server)
    for older in ('{"server": "2.9.0", "room": 1}', "not this", "[]"):
        note.write_text(older)
        Broker(any_broker.folder, any_broker.server).stop()
    note.write_text(json.dumps(written | {"room": 10**14}))
    with Broker(any_broker.folder, any_broker.server) as again:
        configuration = json.loads((again.folder / "server.conf").read_text())
    assert configuration["jetstream"]["max_file_store"] == 10**14  # streams that were given room keep it


@pytest.mark.live
def test_the_reason_is_told_when_it_does_not_start(any_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    any_broker.stop()
    monkeypatch.setattr(Broker, "_configuration", lambda self: {"no_such_field": 1})
    with pytest.raises(BrokerError, match="no_such_field"):
        Broker(any_broker.folder, any_broker.server)


OWNER = """\
import os, sys, time
from unaiverse_lab.live.broker import Broker
broker = Broker(sys.argv[1] or None, sys.argv[2])
print(broker.pid, broker.port, broker.folder, flush=True)
if sys.argv[3] == "fork" and os.fork() == 0:
    broker.stop()
    print(os.getpid(), broker.pid == broker._process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.live
@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs /proc to see what is left")
@pytest.mark.parametrize("case", ["folder", "scratch", "fork"])
def test_the_server_ends_with_a_process_that_is_killed(any_broker: Broker, tmp_path: Path, case: str) -> None:
    given = "" if case == "scratch" else str(tmp_path / "its own")
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, given, str(any_broker.server), case], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(module.__file__).parents[2])},
    )  # fmt: skip
    child = 0
    try:
        assert owner.stdout is not None
        pid, port, where = owner.stdout.readline().strip().split(" ", 2)
        folder = Path(where)
        if case == "fork":
            child = int(owner.stdout.readline().split()[0])
        assert len(processes_of(folder)) == 2
        assert alive(int(pid))
        owner.kill()
        assert until(lambda: not processes_of(folder))
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", int(port)), timeout=1)
        assert until(lambda: folder.exists() != (case == "scratch"))
        if given:
            Broker(folder, any_broker.server).stop()
    finally:
        owner.kill()
        owner.wait()
        if child:
            os.kill(child, signal.SIGKILL)
        assert owner.stdout is not None
        owner.stdout.close()
