"""A certificate authority for tests, and a certificate for `localhost` and 127.0.0.1."""

import http.client
import shutil
import ssl
import subprocess

from . import install, paths, web

CA = paths.TLS / "ca.pem"
CA_KEY = paths.TLS / "ca.key"
CERTIFICATE = paths.TLS / "server.pem"
KEY = paths.TLS / "server.key"
DAYS = "3650"


def make_certificates() -> None:
    """Makes them unless they are there and good for another day."""
    if not shutil.which("openssl"):
        raise install.Unavailable(
            "no openssl to make a test certificate with: `apt-get install openssl`"
        )
    if CERTIFICATE.exists() and not _openssl(
        "x509", "-checkend", "86400", "-noout", "-in", str(CERTIFICATE)
    ):
        return
    paths.TLS.mkdir(parents=True, exist_ok=True)
    request, names = paths.TLS / "server.csr", paths.TLS / "names.cnf"
    names.write_text(
        "subjectAltName = DNS:localhost, IP:127.0.0.1\n"
        "basicConstraints = critical, CA:FALSE\n"
        "extendedKeyUsage = serverAuth\n"
    )
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    authority = ["req", "-x509", *new_key, "-subj", "/CN=holdall test authority", "-days", DAYS]
    authority += ["-addext", "basicConstraints = critical, CA:TRUE"]
    authority += ["-addext", "keyUsage = critical, keyCertSign"]
    signing = ["x509", "-req", "-CA", str(CA), "-CAkey", str(CA_KEY), "-CAcreateserial"]
    signing += ["-days", DAYS, "-extfile", str(names)]
    for arguments in (
        [*authority, "-keyout", str(CA_KEY), "-out", str(CA)],
        ["req", *new_key, "-subj", "/CN=localhost", "-keyout", str(KEY), "-out", str(request)],
        [*signing, "-in", str(request), "-out", str(CERTIFICATE)],
    ):
        if problem := _openssl(*arguments):
            raise RuntimeError(f"openssl {arguments[0]}: {problem}")


def _openssl(*arguments: str) -> str | None:
    """Runs openssl; what it complained about, if it failed."""
    done = subprocess.run(
        ["openssl", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return (done.stderr or f"status {done.returncode}") if done.returncode else None


def check(port: int) -> None:
    """Makes a TLS connection that trusts our authority only. An `OSError` when that fails."""
    context = ssl.create_default_context(cafile=str(CA))
    connection = http.client.HTTPSConnection(
        "localhost", port, timeout=web.TIMEOUT_SECONDS, context=context
    )
    try:
        connection.request("GET", "/http/hello.txt")
        web.Answer(connection.getresponse().status, http.client.HTTPMessage(), b"").expect(200)
    finally:
        connection.close()
