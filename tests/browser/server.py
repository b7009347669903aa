"""A JupyterLab server of its own: its settings, data and notebooks are in a folder made for the tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import unaiverse_lab

STARTS_WITHIN = 60.0
"""Seconds."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
TOKEN = "only-on-this-machine"

QUIET = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
"""Settings of JupyterLab that keep it from asking the world for news, and from saving behind our back."""


def find_browser() -> str | None:
    """The Chromium of this machine; UNAIVERSE_LAB_BROWSER names another one."""
    named = os.environ.get("UNAIVERSE_LAB_BROWSER")
    return named or next((path for name in BROWSERS if (path := shutil.which(name))), None)


class Server:
    """JupyterLab in a process.

    Args:
        home: an empty folder.

    Raises:
        RuntimeError: it did not start; the message has what it wrote.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.notebooks = home / "notebooks"
        self.notebooks.mkdir(parents=True)
        self.runtime = home / "runtime"
        for name, settings in QUIET.items():
            file = home / "settings" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(settings))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": port,
            "ServerApp.port_retries": 0,
            "ServerApp.root_dir": self.notebooks,
            "ServerApp.terminals_enabled": False,
            "IdentityProvider.token": TOKEN,
            "LabApp.news_url": None,
            "LabApp.check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "LabApp.extension_manager": "readonly",
        }
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
        command += [f"--{name}={value}" for name, value in options.items()]
        places = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        environment = {**os.environ, **{name: str(home / place) for name, place in places.items()}}
        environment.pop("UNAIVERSE_LAB_DISPLAY", None)
        tested = str(Path(unaiverse_lab.__file__).parents[1])
        paths = os.pathsep.join([tested, *filter(None, [os.environ.get("PYTHONPATH")])])
        environment.update(PYTHONPATH=paths, JUPYTER_PREFER_ENV_PATH="1", OMP_NUM_THREADS="1")
        self._log = home / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, cwd=home, start_new_session=True
            )
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self.ask("status")
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"JupyterLab did not start within {STARTS_WITHIN:g} s:\n{self._log.read_text()[-3000:]}")

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """What the server answers to a request of its REST interface."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            method=method,
            headers={"Authorization": f"token {TOKEN}", "Content-Type": "application/json"},
            data=None if body is None else json.dumps(body).encode(),
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as answer:
            content = answer.read()
        return json.loads(content) if content else None

    def session_of(self, notebook: str) -> dict[str, Any] | None:
        """The session of a notebook: its id and its kernel; None: it has no kernel."""
        return next((one for one in self.ask("sessions") if one["path"] == notebook), None)

    def stop(self) -> None:
        """End the server, and with it the kernels."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
