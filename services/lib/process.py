"""Processes that outlive the command that started them, and ports for them."""

import os
import random
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

#: Below the range from which systems take the ports of outgoing connections (32768 and up on Linux), so that a
#: port chosen here is still free when the service binds it.
PORTS = range(20000, 30000)


def free_port(preferred: int | None = None) -> int:
    """A port of 127.0.0.1 that nobody listens on: the preferred one if it is free."""
    candidates = ([preferred] if preferred else []) + random.sample(PORTS, 200)
    for port in candidates:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port between {PORTS.start} and {PORTS.stop - 1} on 127.0.0.1")


def launch(command: list[str], log: Path, env: dict[str, str], cwd: Path) -> int:
    """Starts a process in a session of its own, with its output in `log`. Returns its pid."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | env,
            cwd=cwd,
            start_new_session=True,
        )
    return process.pid


def birth(pid: int) -> str | None:
    """A mark of when the process started; `None` when there is none. With the pid it names one process for ever."""
    reap(pid)
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        state, start = fields[0], fields[19]
        return None if state == "Z" else start
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True)
    return shown.stdout.strip() or None


def reap(pid: int) -> None:
    """Collects a child that has ended, so that it does not look alive."""
    with suppress(ChildProcessError):  # when another command started it
        os.waitpid(pid, os.WNOHANG)


def stop(pid: int, born: str, grace_seconds: float = 10) -> None:
    """Ends the process and its children, if it is still the one that was started then."""
    if birth(pid) != born:
        return
    signal_group(pid, signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while birth(pid) == born:
        if time.monotonic() > deadline:
            signal_group(pid, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.02)


def signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)
