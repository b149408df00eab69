"""Where the services keep what they install, store and say."""

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

#: Everything lives here. `HOLDALL_SERVICES_DIR` lets several checkouts share one set of services.
HOME = Path(os.environ.get("HOLDALL_SERVICES_DIR") or PROJECT / ".services").resolve()

BIN = HOME / "bin"  # built Go programs, one file per version
NPM = HOME / "npm"  # the prefix that npm installs into
DATA = HOME / "data"  # what the services store; emptied at every start
LOGS = HOME / "logs"  # one file per service
RUN = HOME / "run"  # one record per running service
TLS = HOME / "tls"  # the test certificate authority

ENV = HOME / "env"  # `export HOLDALL_TEST_…=…` lines
ENV_JSON = HOME / "env.json"
LOCK = HOME / "lock"


def shown(path: Path) -> str:
    """A path as a person would type it: relative to the project when it is inside."""
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)
