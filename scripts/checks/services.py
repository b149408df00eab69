"""The services that the tests talk to: started while the first checks run, waited for before the tests."""

import json
import os
import subprocess
import sys
import time

from .counts import Counts
from .run import Result, checked
from .steps import PROJECT

HOME = os.environ.get("HOLDALL_SERVICES_DIR") or PROJECT / ".services"


class Services:
    """Within the block, services run. In CI all of them have to, and they are stopped at the end."""

    def __init__(self, in_ci: bool, full: bool) -> None:
        self.in_ci = in_ci
        self.arguments = ["--full"] * full + ["--require-all"] * in_ci

    def __enter__(self) -> "Services":
        self.began = time.monotonic()
        self.waited_for = False
        self.process = subprocess.Popen(
            [sys.executable, str(PROJECT / "services" / "up"), *self.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return self

    def ready(self) -> Result:
        """Waits until they run, and puts where they are into the environment."""
        print("\n== services: waiting for services/up", flush=True)
        output, _ = self.process.communicate()
        print(output, end="", flush=True)
        self.waited_for = True
        with open(f"{HOME}/env.json") as file:
            os.environ.update(json.load(file))
        missing = [
            line
            for line in output.splitlines()
            if " not available: " in line or " FAILED: " in line
        ]
        seconds = time.monotonic() - self.began
        if self.process.returncode:
            return checked("services", False, seconds, "; ".join(missing) or "services/up failed")
        return Result("services", True, seconds, Counts(passed=1, skipped=missing))

    def __exit__(self, *_: object) -> None:
        if not self.waited_for:
            self.process.terminate()
            self.process.wait()
        if self.in_ci:
            subprocess.run([sys.executable, str(PROJECT / "services" / "down")], check=False)
