"""Starts the program `martinet serve`, or finds a running server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Optional, Sequence

from ._client import Error, Server

START_SECONDS = 30.0


def find_binary() -> str:
    """Return the path of the program: `MARTINET_BINARY`, the one in this package, or the first one on the path.

    Raises `Error` if there is none.
    """
    named = os.environ.get("MARTINET_BINARY")
    if named:
        if Path(named).is_file():
            return named
        raise Error(f"MARTINET_BINARY names {named}, which is not a file")
    beside = Path(sysconfig.get_path("scripts")) / "martinet"
    found = str(beside) if beside.is_file() else shutil.which("martinet")
    if found is None:
        raise Error("the program martinet is not installed: set MARTINET_BINARY, or MARTINET to the URL of a running server")
    return found


def serve(url: Optional[str] = None, arguments: Sequence[str] = ()) -> Server:
    """Return a server: the one at `url` or at `MARTINET`, otherwise a new process on free ports of 127.0.0.1.

    `arguments` are further arguments of `martinet serve`. A process ends when the server is closed, or when this process
    ends. Raises `Error` if the program does not start.
    """
    url = url or os.environ.get("MARTINET")
    if url:
        return Server(url)
    with tempfile.TemporaryDirectory(prefix="martinet-") as directory:
        ready = Path(directory) / "ready.json"
        log = Path(directory) / "log"
        free = "127.0.0.1:0"
        command = [find_binary(), "serve", "--smtp", free, "--dns", free, "--http", free, "--ready-file", str(ready), *arguments]
        with open(log, "wb") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=output)
        deadline = time.monotonic() + START_SECONDS
        while not (ready.exists() and ready.stat().st_size):
            if process.poll() is not None:
                raise Error(f"martinet serve ended with {process.returncode}: {log.read_text(errors='replace').strip()}")
            if time.monotonic() > deadline:
                process.kill()
                raise Error(f"martinet serve was not ready within {START_SECONDS:.0f} seconds")
            time.sleep(0.01)
        addresses = json.loads(ready.read_text())
    return Server(f"http://{addresses['http']}", process)
