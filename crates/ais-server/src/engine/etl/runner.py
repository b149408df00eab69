"""Runs an ETL's class, as it was sent by a client, or one of the standard transformers.

``prepare`` looks whether this Python can run the class, and installs packages that it lacks; ``class`` runs it;
``standard NAME`` runs a transformer that AIStore has an image of. The server tells where to listen in HOST and PORT.
"""

import base64
import hashlib
import http.server
import importlib
import importlib.metadata
import importlib.util
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request


def fail(text):
    sys.exit(text)


def lacks(requirement):
    """Whether a requirement, in pip's words, is not met."""
    try:
        from packaging.requirements import InvalidRequirement, Requirement

        try:
            parsed = Requirement(requirement)
        except InvalidRequirement:
            return True
        if parsed.marker and not parsed.marker.evaluate():
            return False
        try:
            have = importlib.metadata.version(parsed.name)
        except importlib.metadata.PackageNotFoundError:
            return True
        return bool(parsed.url) or not parsed.specifier.contains(have, prereleases=True)
    except ImportError:
        try:
            importlib.metadata.version(requirement)
        except Exception:
            return True
        return False


def prepare():
    wanted = os.environ.get("HOLDALL_ETL_PYTHON", "")
    have = f"{sys.version_info.major}.{sys.version_info.minor}"
    if wanted and wanted != have:
        fail(
            f"the class was made by Python {wanted}, and {sys.executable} is Python {have}, which cannot read it: "
            f"name a Python {wanted} with --etl-python"
        )
    missing = [name for name in names("OS_PACKAGES") if not is_installed(name)]
    if missing:
        fail(
            f"the server's machine lacks the system packages {', '.join(missing)}: install them there, "
            "this server does not"
        )
    target = os.environ["HOLDALL_ETL_PACKAGES"]
    sys.path.insert(0, target)
    packages = [name for name in names("PACKAGES") if lacks(name)]
    if packages:
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-input",
        ]
        done = subprocess.run(
            [*command, "--target", target, *packages], stdout=2, stderr=subprocess.PIPE, text=True
        )
        if done.returncode:
            last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
            fail(f"cannot install the packages {', '.join(packages)}: {''.join(last)}")
    load_sdk()
    read_class()


def names(variable):
    return [name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()]


def is_installed(package):
    if shutil.which(package):
        return True
    query = shutil.which("dpkg-query")
    if not query:
        return False
    done = subprocess.run(
        [query, "--show", "--showformat=${Status}", package],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return done.stdout.endswith("ok installed")


def load_sdk():
    """Makes ``aistore`` importable: the official SDK, or else holdall under its name."""
    if (
        importlib.util.find_spec("aistore") is None
        and importlib.util.find_spec("holdall") is not None
    ):
        from holdall import compat

        compat.install("aistore")


def read_class():
    with open(os.environ["HOLDALL_ETL_PAYLOAD"], "rb") as file:
        payload = base64.b64decode(file.read())
    try:
        return pickle.loads(payload)
    except ModuleNotFoundError as error:
        fail(
            f"{sys.executable} has no module {error.name!r}, which the class needs: install it there, name it among the "
            "ETL's packages, or name another Python with --etl-python"
        )
    except Exception as error:
        fail(f"the class cannot be read: {type(error).__name__}: {error}")


def run_class():
    sys.path.insert(0, os.environ["HOLDALL_ETL_PACKAGES"])
    load_sdk()
    server = read_class()()
    # Whatever its constructor says: many share this machine's ports.
    server.host, server.port = os.environ["HOST"], int(os.environ["PORT"])
    server.start()


def xxhash64(data, seed):
    try:
        import xxhash

        return xxhash.xxh64(data, seed=seed).hexdigest()
    except ImportError:
        return f"{slow_xxhash64(data, seed):016x}"


def slow_xxhash64(data, seed):
    """XXH64 by its specification, where there is no xxhash package."""
    mask = (1 << 64) - 1
    one, two, three, four, five = (
        11400714785074694791,
        14029467366897019727,
        1609587929392839161,
        9650029242287828579,
        2870177450012600261,
    )

    def turn(value, bits):
        return ((value << bits) | (value >> (64 - bits))) & mask

    def step(lane, word):
        return turn((lane + word * two) & mask, 31) * one & mask

    at = 0
    if len(data) >= 32:
        lanes = [(seed + one + two) & mask, (seed + two) & mask, seed, (seed - one) & mask]
        while at + 32 <= len(data):
            for index in range(4):
                word = int.from_bytes(data[at + 8 * index : at + 8 * index + 8], "little")
                lanes[index] = step(lanes[index], word)
            at += 32
        total = (
            sum(turn(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & mask
        )
        for lane in lanes:
            total = ((total ^ step(0, lane)) * one + four) & mask
    else:
        total = (seed + five) & mask
    total = (total + len(data)) & mask
    while at + 8 <= len(data):
        total ^= step(0, int.from_bytes(data[at : at + 8], "little"))
        total = (turn(total, 27) * one + four) & mask
        at += 8
    if at + 4 <= len(data):
        total ^= int.from_bytes(data[at : at + 4], "little") * one & mask
        total = (turn(total, 23) * two + three) & mask
        at += 4
    for byte in data[at:]:
        total ^= byte * five & mask
        total = turn(total, 11) * one & mask
    total = (total ^ (total >> 33)) * two & mask
    total = (total ^ (total >> 29)) * three & mask
    return total ^ (total >> 32)


def seeded(data, arguments):
    text = arguments or os.environ.get("SEED_DEFAULT", "0")
    try:
        seed = int(text)
    except ValueError:
        raise ValueError(f"the seed {text!r} is no number") from None
    return xxhash64(data, seed).encode()


STANDARD = {
    "echo": lambda data, _: data,
    "hash_with_args": seeded,
    "hello_world": lambda *_: b"Hello World!",
    "md5": lambda data, _: hashlib.md5(data).hexdigest().encode(),
}


class Handler(http.server.BaseHTTPRequestHandler):
    """A standard transformer: PUT with the object, GET for it to be fetched from the server."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, content, kind="application/octet-stream"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def transform(self, data, query):
        arguments = urllib.parse.parse_qs(query).get("etl_args", [""])[0]
        try:
            self.answer(200, self.server.transform(data, arguments.strip()))
        except ValueError as error:
            self.answer(400, str(error).encode(), "text/plain")

    def do_PUT(self):
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.transform(data, urllib.parse.urlsplit(self.path).query)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/health":
            return self.answer(200, b"Running")
        try:
            with urllib.request.urlopen(os.environ["AIS_TARGET_URL"] + path) as reply:
                data = reply.read()
        except urllib.error.HTTPError as error:
            return self.answer(error.code, error.read(), "text/plain")
        self.transform(data, query)


def run_standard(name):
    server = http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler)
    server.transform = STANDARD[name]
    threading.Thread(target=server.serve_forever).start()


if __name__ == "__main__":
    # The first process of a namespace hears only signals that it has asked for.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    {"prepare": prepare, "class": run_class, "standard": lambda: run_standard(sys.argv[2])}[
        sys.argv[1]
    ]()
