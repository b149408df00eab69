"""Starting and stopping processes: only our own, and all of our own."""

import os
import subprocess
import sys
import time
from pathlib import Path

from lib import process, sigv4

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
PARENT = [
    sys.executable,
    "-c",
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print(child.pid, flush=True)\n"
    "child.wait()",
]


def test_a_started_process_is_recognised_and_stopped_with_its_children(tmp_path: Path) -> None:
    log = tmp_path / "log"
    pid = process.launch(PARENT, log, {}, tmp_path)
    born = process.birth(pid)
    assert born
    while not (text := log.read_text()).endswith("\n"):
        time.sleep(0.01)
    process.stop(pid, born)
    assert process.birth(pid) is None
    while process.birth(int(text)) is not None:  # its end is on its way
        time.sleep(0.01)


def test_a_process_that_took_over_the_number_is_left_alone() -> None:
    with subprocess.Popen(SLEEP, start_new_session=True) as other:
        process.stop(other.pid, "born at another time")
        assert other.poll() is None
        other.kill()


def test_a_port_is_free_and_the_preferred_one_if_possible() -> None:
    port = process.free_port()
    assert port in process.PORTS
    assert process.free_port(port) == port


def test_the_signature_covers_headers_of_amazon_and_hides_the_key() -> None:
    headers = sigv4.signed("PUT", "127.0.0.1:1", "/b/k", "", {"X-Amz-Meta-A": " 1  2 "}, None)
    assert headers["x-amz-content-sha256"] == sigv4.UNSIGNED
    assert "host;x-amz-content-sha256;x-amz-date;x-amz-meta-a" in headers["Authorization"]
    assert sigv4.SECRET_KEY not in repr(headers)


def test_queries_are_encoded_the_one_way_that_signatures_know() -> None:
    assert sigv4.encode_query([("b", "a/ü"), ("a", "~ +")]) == "a=~%20%2B&b=a%2F%C3%BC"
    assert sigv4.encode_path("/b/ü +%") == "/b/%C3%BC%20%2B%25"


def test_the_program_that_runs_this_is_alive() -> None:
    assert process.birth(os.getpid())
