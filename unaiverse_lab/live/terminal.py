"""A member at a terminal: what happens to it in words, what a person types, and what reaches that person."""

from __future__ import annotations

import codecs
import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

from unaiverse_lab.core.records import Pushed, Said
from unaiverse_lab.core.terminal import plain
from unaiverse_lab.data.processors import ScriptedHuman
from unaiverse_lab.live.member import Member
from unaiverse_lab.live.nats_port import NatsPort
from unaiverse_lab.runtime.node import MEMBER, Node

SILENT = 5.0
"""Seconds after which it is said that nothing is heard of the host."""


class Teller:
    """Says in words what happens to a member, once each."""

    def __init__(self, member: Member, say: Callable[[str], None], idle: float) -> None:
        assert isinstance(member.port, NatsPort)
        self._member, self._port, self._say, self._idle = member, member.port, say, idle
        self._refused: list[str] = []
        self._downs = self._ups = 0
        self._since = 0.0
        self._silent = False

    def __call__(self) -> None:
        """Look, and say what is new."""
        counts = self._port.link.counts
        if counts["down"] > self._downs:
            self._downs = counts["down"]
            self._since = time.monotonic()
            self._say("the broker cannot be reached, trying again ...")
        if counts["up"] > self._ups and self._downs:
            self._ups = counts["up"]
            self._say(f"the broker is back after {time.monotonic() - self._since:.1f} s")
        if self._port.silence >= SILENT and self._port.link.is_up and not self._silent:
            self._silent = True
            self._say(f"nothing is heard of the host; leaving when that lasts {self._idle:g} s")
        elif self._port.silence < SILENT and self._silent:
            self._silent = False
            self._say("the host is heard again")
        for node in self._member.nodes:
            if node.why_refused is not None and node.name not in self._refused:
                self._refused.append(node.name)
                self._say(f"{node.name}: {node.why_refused}")


class Keyboard(threading.Thread):
    """What a person types behind a node, line by line; what reaches the node is printed.

    It reads as long as there is something to read; the end of the input ends nothing else.
    """

    def __init__(self, member: Member, node: Node) -> None:
        super().__init__(name="unaiverse-lab-keyboard", daemon=True)
        self._member, self._node = member, node
        self._lines: deque[str] = deque()
        self._seen = 0
        self._file = -1
        if sys.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                self._file = sys.stdin.fileno()
                self.start()

    def run(self) -> None:
        """Read; not from ``sys.stdin`` itself, which would then not be free when the process ends."""
        decoder, line = codecs.getincrementaldecoder("utf-8")("replace"), ""
        while data := os.read(self._file, 4096):
            *whole, line = (line + decoder.decode(data)).split("\n")
            self._lines.extend(filter(None, (one.strip() for one in whole)))

    def __call__(self) -> None:
        """Hand over what was typed, and print what is new."""
        home, agent = self._member.home, self._node.agent
        if home is None or agent is None:
            return
        if self._node.state == MEMBER:
            while self._lines:
                agent.say(self._lines.popleft())
        for record in home.trace.since(self._seen):
            if record.node == self._node.name and isinstance(record, Pushed) and record.value is not None:
                print(f"{record.owner}: {plain(record.value)}", flush=True)
            elif record.node == self._node.name and isinstance(record, Said):
                print(f"({plain(record.text)})", flush=True)
        self._seen = len(home.trace)


def people(nodes: list[Node]) -> list[Node]:
    """The nodes behind which a person sits who does not follow a script."""
    return [
        node
        for node in nodes
        if node.agent is not None and node.agent.is_human() and not isinstance(node.agent.proc, ScriptedHuman)
    ]
