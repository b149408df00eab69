"""Servers of S3 that are not the ceiling: nginx gives what a folder holds, `holdall serve` takes what is written, and
`bench.sink` drops it."""

from __future__ import annotations

import getpass
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.sax.saxutils import escape

from .server import nginx, start_nginx

_BUCKET = """
daemon off; user {user}; worker_processes 2; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 20000; }}
http {{
    access_log off; keepalive_requests 1000000000; default_type application/octet-stream;
    sendfile on; tcp_nodelay on; open_file_cache max=20000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port}; root {folder};
        location / {{ if ($args ~ (list-type|prefix|delimiter)) {{ rewrite ^ /list.xml last; }} }}
        location = /list.xml {{ types {{}} default_type application/xml; }}
    }}
}}
"""


@contextmanager
def given(tree: Path, bucket: str, prefix: str, folder: Path) -> Iterator[str]:
    """Serve the files of a tree as the objects of a bucket below a prefix, all in one page of a listing; yield the endpoint."""
    command = nginx()
    if command is None:
        raise SystemExit("needs nginx")
    (folder / bucket).mkdir(parents=True)
    (folder / bucket / prefix).symlink_to(tree)
    (folder / "list.xml").write_text(_listing(tree, prefix))
    process, port = start_nginx(command, folder, _BUCKET, user=getpass.getuser())
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _listing(tree: Path, prefix: str) -> str:
    files = sorted(str(file.relative_to(tree)) for file in tree.rglob("*") if file.is_file())
    objects = []
    for file in files:
        stat = (tree / file).stat()
        # As nginx makes them.
        tag = f'"{int(stat.st_mtime):x}-{stat.st_size:x}"'
        objects.append(
            f"<Contents><Key>{escape(f'{prefix}/{file}')}</Key><ETag>{escape(tag)}</ETag><Size>{stat.st_size}</Size>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        )
    return (
        '<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>'
        f"<KeyCount>{len(objects)}</KeyCount>{''.join(objects)}</ListBucketResult>"
    )


@contextmanager
def taken(command: str, bucket: str, folder: Path) -> Iterator[str]:
    """Run `holdall serve` with an empty bucket, its data in a folder; yield the endpoint of its S3 face."""
    serve = [command, "serve", "--listen", "127.0.0.1:0", "--data", str(folder)]
    # obstore opens a connection for each object.
    serve += ["--max-connections", "20000"]
    process = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        endpoint = f"{process.stdout.readline().strip()}/s3"
        request = urllib.request.Request(f"{endpoint}/{bucket}", method="PUT")
        urllib.request.urlopen(request).close()
        yield endpoint
    finally:
        process.terminate()
        process.wait()


@contextmanager
def dropped() -> Iterator[str]:
    """Run a server that takes uploads and keeps no content; yield the endpoint.

    Most of what a server that keeps large objects does is to hash and to write them: of 4 GiB, four times the client's work.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.sink"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
