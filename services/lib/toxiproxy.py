"""toxiproxy: a TCP proxy that delays, cuts and slows connections on demand."""

import json

from . import install, web
from .service import Service, running


class Toxiproxy(Service):
    name = "toxiproxy"
    purpose = "network faults"
    version = "v2.5.0"
    licence = "MIT"
    package = "github.com/Shopify/toxiproxy/v2/cmd/server"
    needs = ("versitygw",)
    port_names = ("main", "s3")

    def install(self) -> None:
        self.program = install.go_program(self.package, self.version, self.name)

    def command(self, ports: dict[str, int]) -> tuple[list[str], dict[str, str]]:
        return [str(self.program), "-host", "127.0.0.1", "-port", str(ports["main"])], {
            "LOG_LEVEL": "warn"
        }

    def healthy(self, ports: dict[str, int]) -> bool:
        return web.request("GET", ports["main"], "/version").status == 200

    def prepare(self, ports: dict[str, int]) -> None:
        upstream = running("versitygw")
        if upstream is None:
            raise RuntimeError("toxiproxy: versitygw, which it stands in front of, does not run")
        proxy = {
            "name": "s3",
            "listen": f"127.0.0.1:{ports['s3']}",
            "upstream": f"127.0.0.1:{upstream.ports['main']}",
            "enabled": True,
        }
        # `populate` creates the proxy, or points an existing one at the new address.
        body = json.dumps([proxy]).encode()
        web.request("POST", ports["main"], "/populate", body).expect(200, 201)

    def env(self, ports: dict[str, int]) -> dict[str, str]:
        return {
            "HOLDALL_TEST_TOXIPROXY_URL": f"http://127.0.0.1:{ports['main']}",
            "HOLDALL_TEST_TOXIPROXY_S3_ENDPOINT": f"http://127.0.0.1:{ports['s3']}",
            "HOLDALL_TEST_TOXIPROXY_S3_PROXY": "s3",
        }
