"""A wire between a client and a broker that can be cut, held and reset; needs no privileges."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading


class Wire:
    """Forwards connections to a port of this machine, in a thread."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._held = threading.Event()
        self._lock = threading.Lock()
        self._stop = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._work, name="wire", daemon=True)
        self._thread.start()

    def url(self, url: str) -> str:
        """The address of a broker, by way of this wire."""
        return f"{url.rpartition(':')[0]}:{self.port}"

    def _work(self) -> None:
        while not self._stop:
            if self._held.is_set():
                self._held.wait(0)
                threading.Event().wait(0.01)
                continue
            for key, _ in self._selector.select(0.02):
                with self._lock:
                    self._serve(key.fileobj)  # type: ignore[arg-type]

    def _serve(self, end: socket.socket) -> None:
        if end is self._listener:
            near, _ = self._listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", self._target), timeout=1)
            except OSError:
                near.close()
                return
            for one, other in ((near, far), (far, near)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pairs[one] = other
                self._selector.register(one, selectors.EVENT_READ)
            return
        other = self._pairs.get(end)
        if other is None:
            return
        try:
            data = end.recv(65536)
            if data:
                other.sendall(data)
                return
        except OSError:
            pass
        self._drop(end)

    def _drop(self, end: socket.socket) -> None:
        other = self._pairs.pop(end, None)
        for one in (end, other):
            if one is not None:
                self._pairs.pop(one, None)
                with contextlib.suppress(KeyError, ValueError):
                    self._selector.unregister(one)
                one.close()

    def reset(self) -> None:
        """Close all connections; what was on its way is lost."""
        with self._lock:
            for end in list(self._pairs):
                self._drop(end)

    def hold(self) -> None:
        """Let nothing through; the connections stay open."""
        self._held.set()

    def release(self) -> None:
        """Let everything through again, what was held first."""
        self._held.clear()

    def close(self) -> None:
        """End it."""
        self._stop = True
        self._thread.join(2)
        self.reset()
        self._selector.close()
        self._listener.close()
