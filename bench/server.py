"""An HTTP server on loopback that answers every GET and HEAD with the same 4 KiB, in a process of its own.

That is nginx, where it is installed: what users meet, and so fast that the time measured is that of the clients. Elsewhere
it is a loop in Python that does as little as can be done.
"""

from __future__ import annotations

import atexit
import getpass
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BODY = bytes(range(256)) * 16
_HEAD = (
    b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: "bench"\r\n'
    b"Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Type: application/octet-stream\r\n\r\n"
) % len(BODY)


def _serve() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    # A bare loop around epoll takes a third of the time that asyncio does.
    ready = selectors.DefaultSelector()
    ready.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(connection, selectors.EVENT_READ)
                continue
            # Requests without a body are shorter than a segment, and a client waits for the answer to each.
            try:
                request = key.fileobj.recv(65536)
            except ConnectionError:
                request = b""
            if request:
                key.fileobj.sendall(_HEAD if request.startswith(b"HEAD") else _HEAD + BODY)
            else:
                ready.unregister(key.fileobj)
                key.fileobj.close()


_NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 512; }}
http {{
    access_log off; keepalive_requests 1000000000; default_type application/octet-stream;
    open_file_cache max=16; tcp_nodelay on;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; root {folder}; location / {{ rewrite ^ /object break; }} }}
}}
"""


_FILES = """
daemon off; user {user}; worker_processes 2; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000; default_type application/octet-stream;
    sendfile on; tcp_nodelay on; client_max_body_size 0; limit_rate {rate};
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; root {root}; location / {{ dav_methods PUT DELETE; }} }}
}}
"""


def nginx() -> str | None:
    """Return where nginx is installed."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def start_nginx(
    command: str, folder: Path, config: str = _NGINX, **values: object
) -> tuple[subprocess.Popen[str], int]:
    """Run nginx with a configuration that is filled in with these values, a folder and a port; return the port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder.chmod(0o755)
    (folder / "object").write_bytes(BODY)
    (folder / "nginx.conf").write_text(config.format(folder=folder, port=port, **values))
    process = subprocess.Popen(
        [command, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "errors"],
        stderr=subprocess.PIPE,
        text=True,
    )
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return process, port
        except ConnectionRefusedError:
            if process.poll() is not None:
                raise RuntimeError(f"nginx: {process.stderr.read()}") from None
            time.sleep(0.01)


def _start_own() -> tuple[subprocess.Popen[str], int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.server"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@contextmanager
def serving() -> Iterator[str]:
    """Run the server and yield its URL."""
    command = nginx()
    with tempfile.TemporaryDirectory(prefix="holdall-bench-") as folder:
        process, port = start_nginx(command, Path(folder)) if command else _start_own()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def serve_files(root: Path, rate: str = "0") -> str | None:
    """Serve the files below `root` until the program ends, at most `rate` per second and connection; return the URL.

    Files can be written, too. Returns None where nginx is not installed: nothing in Python is fast enough to stand in.
    """
    command = nginx()
    if command is None:
        return None
    folder = root / f".nginx-{rate}"
    folder.mkdir(exist_ok=True)
    root.chmod(0o755)
    process, port = start_nginx(
        command, folder, _FILES, root=root, rate=rate, user=getpass.getuser()
    )
    atexit.register(process.terminate)
    return f"http://127.0.0.1:{port}"


if __name__ == "__main__":
    _serve()
