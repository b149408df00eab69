"""Azurite: Azure Blob Storage, by Microsoft."""

import base64
import hashlib
import hmac
import shutil
from email.utils import formatdate

from . import install, web
from .service import Service

# The account that every Azurite has; published in its documentation.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CONTAINER = "test-container"
SECOND_CONTAINER = "test-container-2"
API_VERSION = "2023-11-03"


class Azurite(Service):
    name = "azurite"
    purpose = "Azure Blob Storage"
    version = "3.37.0"
    licence = "MIT"
    package = "azurite"

    def install(self) -> None:
        if not shutil.which("node"):
            raise install.Unavailable(
                "no Node.js to run it with: install it, with npm, from https://nodejs.org/"
            )
        folder = install.npm_package(self.package, self.version)
        self.program = folder / "dist" / "src" / "blob" / "main.js"

    def command(self, ports: dict[str, int]) -> tuple[list[str], dict[str, str]]:
        listen = ["--blobHost", "127.0.0.1", "--blobPort", str(ports["main"])]
        # Newer API versions than it knows are let through: they add headers that it can ignore.
        options = [
            "--location",
            str(self.data),
            "--skipApiVersionCheck",
            "--silent",
            "--disableTelemetry",
        ]
        return ["node", str(self.program), *listen, *options], {}

    def healthy(self, ports: dict[str, int]) -> bool:
        return signed_request("GET", ports["main"], "", {"comp": "list"}).status == 200

    def prepare(self, ports: dict[str, int]) -> None:
        for container in (CONTAINER, SECOND_CONTAINER):
            signed_request("PUT", ports["main"], f"/{container}", {"restype": "container"}).expect(
                201
            )

    def env(self, ports: dict[str, int]) -> dict[str, str]:
        return {
            "HOLDALL_TEST_AZURE_ENDPOINT": f"http://127.0.0.1:{ports['main']}/{ACCOUNT}",
            "HOLDALL_TEST_AZURE_ACCOUNT": ACCOUNT,
            "HOLDALL_TEST_AZURE_KEY": KEY,
            "HOLDALL_TEST_AZURE_CONTAINER": CONTAINER,
            "HOLDALL_TEST_AZURE_CONTAINER_2": SECOND_CONTAINER,
        }


def signed_request(method: str, port: int, path: str, query: dict[str, str]) -> web.Answer:
    """A request without a body, signed with the shared key.

    The rules: https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key
    """
    url = f"/{ACCOUNT}{path or '/'}"
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": API_VERSION}
    standard = [""] * 11  # Content-Encoding … Range: none of them is sent
    amended = [f"{k}:{v}" for k, v in sorted(headers.items())]
    # The account stands in the resource twice: as the account, and as the first part of the emulator's path.
    resource = [f"/{ACCOUNT}{url}", *(f"{k}:{v}" for k, v in sorted(query.items()))]
    text = "\n".join([method, *standard, *amended, *resource])
    signature = hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}"
    joined = "&".join(f"{k}={v}" for k, v in query.items())
    return web.request(method, port, f"{url}?{joined}", b"", headers)
