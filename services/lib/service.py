"""What every service can do, and the record of a running one."""

import hashlib
import json
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import paths, process


@dataclass
class Running:
    """A started service: how to find its process and how to talk to it."""

    name: str
    version: str
    pid: int
    born: str
    endpoint: str
    ports: dict[str, int]
    env: dict[str, str] = field(default_factory=dict)
    upstreams: dict[str, str] = field(
        default_factory=dict
    )  # the services it stands in front of, by `born`

    def alive(self) -> bool:
        return process.birth(self.pid) == self.born

    def save(self) -> None:
        paths.RUN.mkdir(parents=True, exist_ok=True)
        _record(self.name).write_text(json.dumps(asdict(self), indent=2) + "\n")


def _record(name: str) -> Path:
    return paths.RUN / f"{name}.json"


def recorded(name: str) -> Running | None:
    """The last record of a service, whether or not it still runs."""
    try:
        return Running(**json.loads(_record(name).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def running(name: str) -> Running | None:
    """The record of a service that runs now."""
    found = recorded(name)
    return found if found and found.alive() else None


def digest(*files: Path) -> str:
    """The version of what we write ourselves: changed files make a running service an old one."""
    return "ours-" + hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]


class Service:
    """One service. Subclasses fill in the class attributes and the four steps below."""

    name: str
    purpose: str
    version: str
    licence: str
    package: str  # where it comes from
    needs: tuple[str, ...] = ()  # services that have to run first
    port_names: tuple[str, ...] = ("main",)

    def install(self) -> None:
        """Makes the program available. Raises `Unavailable` when this machine cannot have it."""

    def command(self, ports: dict[str, int]) -> tuple[list[str], dict[str, str]]:
        """The command line and the environment of the process."""
        raise NotImplementedError

    def healthy(self, ports: dict[str, int]) -> bool:
        """Whether it answers. May raise `OSError` while it does not."""
        raise NotImplementedError

    def prepare(self, ports: dict[str, int]) -> None:
        """Puts in place what tests rely on, such as buckets."""

    def env(self, ports: dict[str, int]) -> dict[str, str]:
        """What tests are told. The first value is the endpoint that a person is shown."""
        raise NotImplementedError

    def upstreams(self) -> dict[str, str]:
        """The running services that this one needs, as they are now."""
        return {name: found.born for name in self.needs if (found := running(name))}

    @property
    def data(self) -> Path:
        return paths.DATA / self.name

    @property
    def log(self) -> Path:
        return paths.LOGS / f"{self.name}.log"

    def up(self) -> tuple[Running, bool]:
        """Starts it unless it runs and answers. The second value says whether it had to be started."""
        found = running(self.name)
        same = found and (found.version, found.upstreams) == (self.version, self.upstreams())
        if found and same and self.answers(found.ports):
            return found, False
        self.down()
        self.install()
        return self._start(), True

    def _start(self) -> Running:
        last = recorded(self.name)
        ports: dict[str, int] = {}
        for port in self.port_names:
            wanted = last.ports.get(port) if last else None
            ports[port] = process.free_port(wanted)
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True)
        paths.LOGS.mkdir(parents=True, exist_ok=True)
        command, env = self.command(ports)
        pid = process.launch(command, self.log, env, self.data)
        born = process.birth(pid) or ""
        try:
            self._wait(pid, ports)
            self.prepare(ports)
        except BaseException:
            process.stop(pid, born)
            raise
        variables = self.env(ports)
        started = Running(
            name=self.name,
            version=self.version,
            pid=pid,
            born=born,
            endpoint=next(iter(variables.values())),
            ports=ports,
            env=variables,
            upstreams=self.upstreams(),
        )
        started.save()
        return started

    def _wait(self, pid: int, ports: dict[str, int], patience_seconds: float = 60) -> None:
        deadline = time.monotonic() + patience_seconds
        while not self.answers(ports):
            if process.birth(pid) is None:
                raise RuntimeError(
                    f"{self.name}: ended at once. Its last words:\n{self.last_words()}"
                )
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"{self.name}: does not answer after {patience_seconds:.0f} s. "
                    f"Its last words:\n{self.last_words()}"
                )
            time.sleep(0.05)

    def answers(self, ports: dict[str, int]) -> bool:
        """Like `healthy`, with a refused or broken connection as a no."""
        try:
            return self.healthy(ports)
        except OSError:
            return False

    def last_words(self) -> str:
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:]) or "(none)"
        except OSError:
            return "(none)"

    def down(self) -> bool:
        """Stops it. Says whether it ran. The record stays, so that the next start can take the same ports."""
        found = running(self.name)
        if found:
            process.stop(found.pid, found.born)
        return found is not None
