"""boto3 behind a gateway that sends clients on to targets."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("boto3", reason="boto3 is not installed")

# The patch stays for the process, so each way is tried in one of its own.
PROGRAM = """
import sys
{patch}
import boto3
from botocore.config import Config
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1", aws_access_key_id="a",
    aws_secret_access_key="b", config=Config(s3={{"addressing_style": "path"}}, retries={{"max_attempts": 1}}))
print(s3.get_object(Bucket="b", Key="k")["Body"].read().decode())
"""


@pytest.fixture
def gateway() -> Iterator[str]:
    """A gateway that redirects as often as the key's path says."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            hops = self.path.count("hop")
            if hops < self.server.hops:  # type: ignore[attr-defined]
                self.send_response(307)
                self.send_header("Location", f"{url}{self.path.split('?')[0]}-hop")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"content")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.hops = 1  # type: ignore[attr-defined]
    url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield url
    server.shutdown()
    server.server_close()


def run(patch: str, url: str) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(patch=patch)
    return subprocess.run(
        [sys.executable, "-c", program, url], capture_output=True, text=True, check=False
    )


def test_redirects_are_followed_with_the_patch_alone(gateway: str) -> None:
    patched = run("from holdall.aistore.botocore_patch import botocore", gateway)
    assert patched.stdout.strip() == "content", patched.stderr
    assert run("", gateway).returncode != 0
