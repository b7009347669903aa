"""What a link asks of a broker before it logs in, and what it tells when nothing is stored."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from live.loads import in_time
from unaiverse_lab.live import link as module
from unaiverse_lab.live import nats_port
from unaiverse_lab.live.broker import Broker, BrokerError
from unaiverse_lab.live.link import InsecureLink, Link, unfit
from unaiverse_lab.live.log import NatsHostPort
from unaiverse_lab.live.nats_port import NatsPort, new_wid
from unaiverse_lab.live.port import LinkEvent
from unaiverse_lab.live.wire import Kind, frame_of

CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMTb3uWbLUMdwGhoO
MMrdyD/UFOg2RKWpJYkW86UUihShRANCAAQeUek8F295H92bm5uLzo/NahARJUY1
ExUUJ6QTMydPAyQgv9MFcsaMo6AgShduCiENiCsumHbDJTDmb+1quoHn
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBaDCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAkxMjcuMC4w
LjEwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CTEyNy4wLjAuMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABB5R6TwXb3kf3Zub
m4vOj81qEBElRjUTFRQnpBMzJ08DJCC/0wVyxoyjoCBKF24KIQ2IKy6YdsMlMOZv
7Wq6geejTjBMMBoGA1UdEQQTMBGHBH8AAAGCCWxvY2FsaG9zdDAPBgNVHRMBAf8E
BTADAQH/MB0GA1UdDgQWBBS+OMgzqS1CU9L9aVCgBAD3oLXcCDAKBggqhkjOPQQD
AgNJADBGAiEAi6T3xl2dIVsrJcxI9o49TvcrLam1HyiDvZf280kCHDgCIQDPWdTJ
K0M+1R1JcdzPCr6EeT15jSJ0Dek8FyxdhEPv8A==
-----END CERTIFICATE-----
"""
"""Of 127.0.0.1, signed by itself, good for a hundred years; with its key, which opens nothing."""


class Special(Broker):
    """A broker with another configuration."""

    changes: dict[str, Any]

    def __init__(self, like: Broker, folder: Path, **changes: Any) -> None:
        self.changes = changes
        super().__init__(folder, like.server)

    def _configuration(self) -> dict[str, Any]:
        return {name: value for name, value in {**super()._configuration(), **self.changes}.items() if value}


@contextmanager
def linked(url: str) -> Iterator[Link]:
    link = Link([url], "test", deque())
    try:
        yield link
    finally:
        link.close()


def told(events: deque[LinkEvent], kind: str) -> list[str]:
    return [event.detail for event in events if event.kind == kind]


ENOUGH = {"version": "2.15.1", "max_payload": 1 << 20}


@pytest.mark.parametrize(
    ("version", "near", "far"),
    [
        ("", False, False), ("what", False, False), ("1.4.1", False, False), ("2.9.9", False, False),
        ("2.9.10", True, False), ("2.10.99", True, False), ("2.11.15", True, False), ("2.11.16", True, True),
        ("2.12.6", True, False), ("2.12.7", True, True), ("2.13.9", True, False), ("2.14.0", True, True),
        ("2.15.0-RC.1", True, True), ("3.0.0", True, True),
    ],
)  # fmt: skip
def test_old_servers_are_refused(version: str, near: bool, far: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(module.ALLOW_OLD, raising=False)
    info = {**ENOUGH, "version": version}
    for peer in ("127.0.0.1", "127.3.2.1", "::1"):
        assert (unfit("here", info, peer, False, False) is None) == near
    for peer in ("10.0.0.7", "fe80::1%eth0"):
        assert (unfit("there", info, peer, False, False) is None) == far
    if near and not far:
        assert "ALLOW_OLD_SERVER=1" in str(unfit("there", info, "10.0.0.7", False, False))
    monkeypatch.setenv(module.ALLOW_OLD, "1")
    assert (unfit("there", info, "10.0.0.7", False, False) is None) == near


def test_tls_is_there_when_it_was_asked_for() -> None:
    assert isinstance(unfit("there", ENOUGH, "127.0.0.1", is_tls=False, wants_tls=True), InsecureLink)
    for is_tls, wants_tls in ((False, False), (True, False), (True, True)):
        assert unfit("there", ENOUGH, "127.0.0.1", is_tls, wants_tls) is None


@pytest.mark.live
def test_a_broker_that_is_not_fit_is_told_at_once(any_broker: Broker, tmp_path: Path) -> None:
    start = time.monotonic()
    with Special(any_broker, tmp_path / "small", max_payload=65_536) as small:
        with pytest.raises(BrokerError, match=rf"127\.0\.0\.1:{small.port} takes messages of 65,536 bytes.* 528,384"):
            NatsPort([small.member_url], new_wid())
    with Special(any_broker, tmp_path / "bare", jetstream=None, accounts=None) as bare:
        with pytest.raises(BrokerError, match=rf"127\.0\.0\.1:{bare.port} has no JetStream: start it with -js") as why:
            NatsHostPort([bare.url], new_wid())
        assert "@" not in str(why.value)
    with pytest.raises(InsecureLink, match=f"127.0.0.1:{any_broker.port} speaks no TLS"):
        NatsPort([any_broker.url.replace("nats:", "tls:")], new_wid())
    assert time.monotonic() - start < 5


@pytest.mark.live
def test_after_a_break_it_is_asked_again(any_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = tmp_path / "certificate.pem"
    pem.write_text(CERTIFICATE)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    tls = {"cert_file": str(pem), "key_file": str(pem)}
    with Special(any_broker, tmp_path / "tls", tls=tls) as broker:
        with linked(broker.url.replace("nats:", "tls:")) as link:
            for changes, why in (({}, "speaks no TLS"), ({"tls": tls, "max_payload": 65_536}, "65,536 bytes")):
                broker.kill()
                broker.changes = changes
                broker.start()
                assert in_time(lambda why=why: why in link.trouble)
                time.sleep(0.3)
                assert not link.up.is_set()
                broker.kill()
                broker.changes = {"tls": tls}
                broker.start()
                assert in_time(link.up.is_set)
                assert link.trouble == ""
            assert [why.split(": ")[0].split(",")[0] for why in told(link.events, "error")] == [
                f"127.0.0.1:{broker.port} speaks no TLS",
                f"the nats-server at 127.0.0.1:{broker.port} takes messages of 65",
            ]
            assert link.counts["up"] == 2


@pytest.mark.live
def test_that_the_log_is_full_is_told_and_passes(any_broker: Broker, caplog: pytest.LogCaptureFixture) -> None:
    host = NatsHostPort([any_broker.url], new_wid(), keep_log=True)
    member = NatsPort([any_broker.member_url], host.subjects.wid)
    try:
        change(host, max_msgs=10)
        for _ in range(20):
            ticket = member.post(frame_of(Kind.TURN, b"x"))
        assert in_time(lambda: told(member.events, "error"))
        assert told(member.events, "error") == ["broker_full: maximum messages exceeded (10077)"]
        assert caplog.messages == [member.link.trouble] == told(member.events, "error")
        host.link.call(host.link.js.purge_stream(host.subjects.log), 5)
        member.flush(10)
        assert ticket.state == "stored"
        assert member.link.trouble == ""
    finally:
        member.close(drain=False)
        host.close(drain=False)


@pytest.mark.live
def test_that_the_broker_stores_nothing_is_told_and_passes(any_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_port, "STORED_WITHIN", 0.1)
    monkeypatch.setattr(module, "APART", 0.05)
    host = NatsHostPort([any_broker.url], new_wid())
    host.link.room = lambda: any_broker.room
    member = NatsPort([any_broker.member_url], host.subjects.wid)
    try:
        change(host, no_ack=True)
        for port in (host, member):
            port.post(frame_of(Kind.TURN, b"x"))
        for port, room in ((host, f" MB are free on the disk of {any_broker.folder}"), (member, "stores nothing.")):
            assert in_time(lambda port=port: told(port.events, "broker_stuck"))
            (detail,) = told(port.events, "broker_stuck")
            assert detail.startswith("the broker is there, and stores nothing.")
            assert detail.endswith(room)
        change(host, no_ack=False)
        for port in (host, member):
            port.flush(10)
            assert port.link.trouble == ""
        host.link.call(host.link.js.delete_stream(host.subjects.log), 5)
        member.post(frame_of(Kind.TURN, b"x"))
        assert in_time(lambda: len(told(member.events, "broker_stuck")) == 2)
    finally:
        member.close(drain=False)
        host.close(drain=False)


def change(host: NatsHostPort, **changes: Any) -> None:
    """Give the world's log other settings."""

    async def update() -> None:
        config = (await host.link.js.stream_info(host.subjects.log)).config
        await host.link.js.update_stream(config.evolve(**changes))

    host.link.call(update(), 5)
