"""The three commands: up, down, status."""

import argparse
import fcntl
import json
import shlex
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from . import catalog, paths
from .install import Unavailable, say
from .service import Running, Service, recorded, running


def up(arguments: list[str] | None = None) -> int:
    """Starts services. Returns the exit status: 0 also when some are not to be had here, unless told otherwise."""
    parser = argparse.ArgumentParser(
        "services/up",
        description="Install what is missing and start the services that the tests talk to.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", type=_known, help=_names())
    parser.add_argument(
        "--full", action="store_true", help="also those that only the full run uses: minio"
    )
    parser.add_argument(
        "--require-all", action="store_true", help="fail when one is not to be had on this machine"
    )
    options = parser.parse_args(arguments)
    services = catalog.chosen(options.names, options.full)
    with _locked():
        unavailable, failed = _start_all(services)
        _write_env()
    for name, why in unavailable.items():
        say(f"{name:<10} not available: {why}")
    for name, why in failed.items():
        say(f"{name:<10} FAILED: {why}")
    say(f"{len(services) - len(unavailable) - len(failed)} of {len(services)} services run.")
    say(f"Tell your shell where: source {paths.shown(paths.ENV)}   Stop them: services/down")
    return 1 if failed or (unavailable and options.require_all) else 0


def down(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("services/down", description="Stop the services.")
    parser.add_argument("names", nargs="*", metavar="NAME", type=_known, help=_names())
    parser.add_argument(
        "--clean", action="store_true", help="also delete what they stored and logged"
    )
    options = parser.parse_args(arguments)
    if not paths.HOME.exists():
        say("Nothing runs.")
        return 0
    with _locked():
        # Those in front stop before those behind them.
        for name, service in reversed(catalog.SERVICES.items()):
            if not options.names or name in options.names:
                if service.down():
                    say(f"{name:<10} stopped")
                if options.clean:
                    shutil.rmtree(service.data, ignore_errors=True)
                    service.log.unlink(missing_ok=True)
        _write_env()
    return 0


def status(arguments: list[str] | None = None) -> int:
    """Says what runs. Returns 0 when everything that was started still runs and answers."""
    parser = argparse.ArgumentParser(
        "services/status", description="Say which services run, and where."
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(arguments)
    states = {name: _state(service) for name, service in catalog.SERVICES.items()}
    if options.json:
        rows = {
            name: {
                "state": state,
                "endpoint": found.endpoint if found else None,
                "pid": found.pid if found else None,
            }
            for name, (state, found) in states.items()
        }
        say(json.dumps(rows, indent=2))
    else:
        for name, (state, found) in states.items():
            where = f"{found.endpoint} (pid {found.pid}, {found.version})" if found else ""
            say(f"{name:<10} {catalog.SERVICES[name].purpose:<32} {state:<10} {where}".rstrip())
    return 1 if any(state == "silent" for state, _ in states.values()) else 0


def _state(service: Service) -> tuple[str, Running | None]:
    found = running(service.name)
    if found is None:
        return ("stopped" if recorded(service.name) else "-"), None
    return ("running" if service.answers(found.ports) else "silent"), found


def _start_all(services: list[Service]) -> tuple[dict[str, str], dict[str, str]]:
    """Starts them side by side. Returns those that this machine cannot have and those that failed, with the reason."""
    unavailable: dict[str, str] = {}
    failed: dict[str, str] = {}
    jobs: dict[str, Future[None]] = {}

    def start(service: Service) -> None:
        for need in service.needs:
            if jobs[need].exception():
                raise Unavailable(f"it needs {need}, which is not there")
        found, fresh = service.up()
        word = "started" if fresh else "running"
        say(
            f"{service.name:<10} {service.purpose:<32} {word:<10} {found.endpoint} (pid {found.pid}, {found.version})"
        )

    with ThreadPoolExecutor(max_workers=len(services)) as pool:
        for service in services:
            jobs[service.name] = pool.submit(start, service)
    for name, job in jobs.items():
        problem = job.exception()
        if isinstance(problem, Unavailable):
            unavailable[name] = str(problem)
        elif problem:
            failed[name] = str(problem) or repr(problem)
    return unavailable, failed


def _write_env() -> None:
    """Writes down, for shells and for tests, how to reach everything that runs now."""
    variables: dict[str, str] = {}
    for name in catalog.SERVICES:
        if found := running(name):
            variables |= found.env
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    paths.ENV.write_text("".join(lines))
    paths.ENV_JSON.write_text(json.dumps(variables, indent=2) + "\n")


@contextmanager
def _locked() -> Iterator[None]:
    """Keeps two commands from working at the same time: the second waits for the first."""
    paths.HOME.mkdir(parents=True, exist_ok=True)
    with paths.LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another services command is at work: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _known(name: str) -> str:
    if name not in catalog.SERVICES:
        raise argparse.ArgumentTypeError(
            f"no service '{name}'; there are {', '.join(catalog.SERVICES)}"
        )
    return name


def _names() -> str:
    return "which (default: all that the ordinary tests use): " + ", ".join(catalog.SERVICES)
