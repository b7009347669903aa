"""One connection to NATS, with a thread and an event loop of its own, so that a busy cell stops no heartbeat."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import os
import random
import re
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from unaiverse_lab.live.broker import BrokerError
from unaiverse_lab.live.port import LinkEvent

T = TypeVar("T")
CONNECT_WITHIN = 3.0
PENDING = 8 * 1024 * 1024
LONGEST_PAUSE = 2.0
LONGEST_MESSAGE = 516 * 1024
"""Bytes of the longest message ever sent: part of a blob, and its headers."""

OLDEST = (2, 9, 10)
SAFE = {(2, 11): 16, (2, 12): 7}
ALLOW_OLD = "UNAIVERSE_LAB_ALLOW_OLD_SERVER"
STUCK_AFTER, APART = 3, 1.8
"""How often the broker, though there, did not say that it stored something, until that is told; so many seconds apart
at least. A broker whose disk is full may also answer nobody for a while, so links break meanwhile."""

FULL = (10023, 10047, 10077)

_log = logging.getLogger("unaiverse_lab.live")


def without_secret(url: str) -> str:
    """An address without what only its owner should know."""
    return re.sub(r"//[^/@]*@", "//", url)


class InsecureLink(BrokerError):
    """TLS was asked for, and the broker speaks none; nothing secret was sent to it."""


def unfit(where: str, info: dict[str, Any], peer: str, is_tls: bool, wants_tls: bool) -> BrokerError | None:
    """Why one should not log in to a broker; None: one may.

    Args:
        where: its address, for the message.
        info: what it says of itself.
        peer: the IP address that answered.
        is_tls, wants_tls: whether the connection is encrypted, and has to be.
    """
    if wants_tls and not is_tls:
        return InsecureLink(f"{where} speaks no TLS, and tls:// was asked for; nothing was sent to it")
    said = str(info.get("version", ""))
    digits = re.match(r"(\d+)\.(\d+)\.(\d+)", said)
    version = tuple(map(int, digits.groups())) if digits else (0, 0, 0)
    if version < OLDEST:
        return BrokerError(
            f"the nats-server at {where} is {said or 'of no known version'}; it has to be 2.9.10 or newer"
        )
    is_near = ipaddress.ip_address(peer.partition("%")[0]).is_loopback
    is_safe = version >= (2, 14) or version[2] >= SAFE.get((version[0], version[1]), 1 << 30)
    if not is_near and not is_safe and not os.environ.get(ALLOW_OLD):
        return BrokerError(
            f"the nats-server at {where} is {said}, which has known holes: over a network it has to be 2.14.0 or "
            f"newer, or 2.12 from 2.12.7, 2.11 from 2.11.16 on. To use it all the same, set {ALLOW_OLD}=1"
        )
    limit = int(info.get("max_payload", 0))
    if limit < LONGEST_MESSAGE:
        return BrokerError(
            f"the nats-server at {where} takes messages of {limit:,} bytes, and {LONGEST_MESSAGE:,} are needed: "
            "put max_payload: 1MB into its configuration"
        )
    return None


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop: that of uvloop, which is quicker, where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class Link:
    """A connection that comes back by itself.

    Args:
        urls: addresses of the broker.
        name: for the broker's monitoring.
        events: where it is noted when the connection comes and goes.

    ``trouble`` says why nothing is stored now; ``room`` tells how full the broker's disk is, where that is known.
    ``nats`` and ``js`` belong to the thread of the link: only coroutines given to :meth:`call` or :meth:`start` use
    them. ``news`` is notified whenever something came.

    Raises:
        BrokerError: nats-py is not installed, nobody answers there, or the broker is not fit: too old, without
            JetStream, with too small a limit for messages.
        InsecureLink: it speaks no TLS, and an address begins with ``tls://``.
    """

    def __init__(self, urls: list[str], name: str, events: deque[LinkEvent]) -> None:
        try:
            from nats.aio.client import Client
        except ImportError:
            raise BrokerError("live worlds need nats-py: pip install 'unaiverse-lab[live]'") from None
        client: Any = Client()
        self._client, self._hello = client, client._connect_command
        client._connect_command = self._log_in
        self.urls = urls
        self.events = events
        self.news = threading.Condition()
        self.on_up: list[Callable[[], Awaitable[None]]] = []
        self.closed = False
        self.last_error = ""
        self.trouble = ""
        self.room: Callable[[], str] = str
        self._missed, self._missed_at = 0, 0.0
        self._was_up = False
        self.counts = {"up": 0, "down": 0, "errors": 0}
        self._tasks: list[asyncio.Task[None]] = []
        self._brief: set[asyncio.Task[None]] = set()
        self._loop = new_loop()
        self._thread = threading.Thread(target=self._work, name=f"unaiverse-lab-link-{name}", daemon=True)
        self._thread.start()
        self.up: asyncio.Event
        try:
            self.call(self._connect(name), CONNECT_WITHIN + 5)
        except BaseException:
            self.close()
            raise

    @property
    def nats(self) -> Any:
        """The client."""
        return self._client

    @property
    def js(self) -> Any:
        """Its JetStream side."""
        return self._jetstream

    @property
    def is_up(self) -> bool:
        """Whether it is connected."""
        return bool(self._client.is_connected)

    # ------------------------------------------------------------------ the thread

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._clear())
            self._loop.close()

    def call(self, work: Coroutine[Any, Any, T], timeout: float | None) -> T:
        """Run a coroutine in the link's thread, and wait for its result.

        Raises:
            BrokerError: the link is closed, or it took longer than ``timeout`` seconds.
        """
        if self.closed or not self._thread.is_alive():
            work.close()
            raise BrokerError("the link to the broker is closed")
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout)
        except FutureTimeout:
            future.cancel()
            raise BrokerError(f"the broker did not answer within {timeout:g} s") from None
        except BaseException:
            future.cancel()
            raise

    def soon(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Call a function in the link's thread, without waiting."""
        if not self.closed:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(function, *arguments)

    def begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """From the link's thread: let a coroutine run; what goes wrong in it is somebody else's concern."""

        async def quietly() -> None:
            with contextlib.suppress(Exception):
                await work()

        task = self._loop.create_task(quietly())
        self._brief.add(task)
        task.add_done_callback(self._brief.discard)

    async def start(self, work: Coroutine[Any, Any, None], what: str) -> None:
        """Let a coroutine run as long as the link lives; when it fails, that is told as an event."""

        async def guarded() -> None:
            try:
                await work
            except asyncio.CancelledError:
                raise
            except Exception as error:
                self.tell("error", f"{what}: {type(error).__name__}: {error}")

        self._tasks.append(asyncio.get_running_loop().create_task(guarded()))

    def tell(self, kind: str, detail: str = "") -> None:
        """Note an event, and wake whoever waits for news."""
        self.events.append(LinkEvent(kind, detail))
        _log.debug("%s %s", kind, detail)
        self.notify()

    def notify(self) -> None:
        """Wake whoever waits for news."""
        with self.news:
            self.news.notify_all()

    # ------------------------------------------------------------------ the connection

    async def _connect(self, name: str) -> None:
        self.up = asyncio.Event()
        addresses = ", ".join(map(without_secret, self.urls))
        options: dict[str, Any] = {
            "name": name, "error_cb": self._on_error, "disconnected_cb": self._on_down, "reconnected_cb": self._on_up,
            "closed_cb": self._on_closed, "reconnect_to_server_handler": self._pause_before, "ping_interval": 1,
            "max_outstanding_pings": 2, "max_reconnect_attempts": -1, "reconnect_time_wait": 0.05,
            "connect_timeout": 2, "pending_size": PENDING, "flusher_queue_size": 4096,
        }  # fmt: skip
        try:
            await asyncio.wait_for(self._client.connect(self.urls, **options), CONNECT_WITHIN)
        except BrokerError:
            raise
        except Exception as error:
            reason = self.last_error or str(error) or type(error).__name__
            raise BrokerError(f"no broker answers at {addresses}: {without_secret(reason)}") from None
        self._jetstream = self._client.jetstream(timeout=2.0)
        if not self._client._server_info.get("jetstream"):  # another server of its cluster may have it
            from nats.js.errors import ServiceUnavailableError

            try:
                await self._jetstream.account_info()
            except ServiceUnavailableError:
                raise BrokerError(f"the nats-server at {addresses} has no JetStream: start it with -js") from None
            except Exception as error:
                _log.debug("asking for JetStream: %s", error)
        self._was_up = True
        self.up.set()

    def _log_in(self) -> bytes:
        """What the client sends first, with its secret, once it knows whom it talks to."""
        client = self._client
        line, server = client._transport._io_writer, client._current_server.uri
        why = unfit(
            f"{server.hostname}:{server.port}", client._server_info, line.get_extra_info("peername")[0],
            line.get_extra_info("ssl_object") is not None, any(url.startswith("tls:") for url in self.urls),
        )  # fmt: skip
        if why is None:
            return bytes(self._hello())
        if not self._was_up:
            raise why
        self._complain("error", str(why))
        raise ConnectionError(str(why))  # which the client takes for a broken line, and tries again

    # ------------------------------------------------------------------ what is stored

    def stored(self) -> None:
        """The broker has stored something."""
        self._missed, self.trouble = 0, ""

    def not_stored(self, code: int = 0, what: str = "") -> None:
        """The broker did not store something: it said why, as an error of JetStream, or nothing in time.

        Told as an event, once for each time that it begins: ``error`` or ``broker_stuck``.
        """
        if code:
            self._complain("error", f"{'broker_full' if code in FULL else 'not stored'}: {what} ({code})")
            return
        now = time.monotonic()
        if self.is_up and now - self._missed_at >= APART:
            self._missed, self._missed_at = self._missed + 1, now
        if self._missed >= STUCK_AFTER:
            self._complain("broker_stuck", f"the broker is there, and stores nothing. {self.room()}".rstrip())

    def _complain(self, kind: str, what: str) -> None:
        if self.trouble != what:
            self.trouble = what
            _log.warning("%s", what)
            self.tell(kind, what)

    def _pause_before(self, servers: list[Any], info: dict[str, Any]) -> tuple[Any, float]:
        """Which server to try next, and after how long."""
        server = min(servers, key=lambda one: one.reconnects)
        pause: float = min(LONGEST_PAUSE, 0.02 * 1.5 ** min(server.reconnects, 20))
        return server, pause * random.uniform(0.7, 1.3)

    async def _on_error(self, error: Exception) -> None:
        self.counts["errors"] += 1
        self.last_error = f"{type(error).__name__}: {error}"
        _log.debug("nats: %s", error)

    async def _on_down(self) -> None:
        was_up = self.up.is_set()
        self.up.clear()
        if was_up and not self.closed:  # it may break again before it was said to be up
            self.counts["down"] += 1
            self.tell("down")

    async def _on_up(self) -> None:
        self.counts["up"] += 1
        if self._missed < STUCK_AFTER:
            self.trouble = ""
        self.up.set()
        self.tell("up")
        for again in list(self.on_up):
            try:
                await again()
            except Exception as error:
                self.tell("error", f"after reconnecting: {type(error).__name__}: {error}")

    async def _on_closed(self) -> None:
        if not self.closed:
            self.up.clear()
            self.tell("error", "the broker closed the connection for good")

    async def barrier(self, timeout: float = 5.0) -> None:
        """Return when the broker has seen everything written before. The client's own ``flush`` alone is none."""
        async with asyncio.timeout(timeout):
            while self._client.pending_data_size:
                await asyncio.sleep(0)
            await self._client.flush()

    def close(self) -> None:
        """End the connection and the thread."""
        if self.closed:
            return
        self.closed = True
        if self._thread.is_alive():
            with contextlib.suppress(Exception):
                asyncio.run_coroutine_threadsafe(self._finish(), self._loop).result(5.0)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5.0)
        self.notify()

    async def _finish(self) -> None:
        while going := [task for task in self._tasks if not task.done()]:
            for task in going:
                task.cancel()
            await asyncio.wait(going, timeout=0.1)  # before Python 3.12, wait_for may swallow being cancelled
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self._client.close(), 2.0)
        await self._clear()

    async def _clear(self) -> None:
        """End whatever still goes on in this loop."""
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_asyncgens()
