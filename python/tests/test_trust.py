"""Whom a client trusts when nobody says: the authorities of the system, which are read when they are needed."""

import os
import shutil
import subprocess
import sys

import pytest

_READ = """
import sys
from holdall.store import HTTPStore
store = HTTPStore(sys.argv[1], client_options={"allow_http": True}, retry_config={"max_retries": 0})
print(len(store.get(sys.argv[2]).bytes()))
"""


def _read(url, **environment):
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith("SSL_CERT")
    } | environment
    command = [sys.executable, "-c", _READ, url, "hello.txt"]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def _service(name):
    url = os.environ.get(name)
    if not url:
        pytest.skip("no HTTP service: start services/up and source .services/env")
    return url


def test_the_authorities_of_the_system_can_be_named_by_the_environment(tmp_path):
    url, authority = _service("HOLDALL_TEST_HTTPS_URL"), _service("HOLDALL_TEST_CA_FILE")
    trusted = _read(url, SSL_CERT_FILE=authority)
    assert trusted.returncode == 0, trusted.stderr
    folder = tmp_path / "authorities"
    folder.mkdir()
    shutil.copy(authority, folder / "one.pem")
    trusted = _read(url, SSL_CERT_DIR=str(folder))
    assert trusted.returncode == 0, trusted.stderr
    assert "UnknownIssuer" in _read(url).stderr


def test_a_system_without_authorities_can_do_what_needs_none(tmp_path):
    plain, secure = _service("HOLDALL_TEST_HTTP_URL"), _service("HOLDALL_TEST_HTTPS_URL")
    nothing = str(tmp_path / "nothing.pem")
    read = _read(plain, SSL_CERT_FILE=nothing)
    assert read.returncode == 0, read.stderr
    refused = _read(secure, SSL_CERT_FILE=nothing)
    assert refused.returncode != 0
    for words in ("cannot be read", "ca-certificates", "SSL_CERT_FILE", "root_certificate"):
        assert words in refused.stderr, words
