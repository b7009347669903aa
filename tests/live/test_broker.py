"""Finding, starting and stopping a nats-server."""

from __future__ import annotations

import os
import socket
import sysconfig
from pathlib import Path

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
def test_a_private_server_starts_and_leaves_nothing(broker: Broker) -> None:
    assert broker.pid is not None
    with socket.create_connection(("127.0.0.1", broker.port), timeout=2) as line:
        assert line.recv(4) == b"INFO"
    assert oct((broker.folder / "server.conf").stat().st_mode & 0o777) == "0o600"
    with pytest.raises(BrokerError, match=f"process {broker.pid}"):
        Broker(broker.folder)
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
    broker.stop()


@pytest.mark.live
def test_a_scratch_folder_goes_with_its_server(broker: Broker) -> None:
    urls, mine = reach("embedded")
    assert mine is not None
    assert urls == [mine.url]
    assert mine.url != broker.url
    with mine:
        assert mine.folder.is_dir()
    assert not mine.folder.exists()
