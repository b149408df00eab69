"""nginx: plain HTTP, WebDAV, limits, refusals and TLS, from one instance of our own."""

import os
import shutil
from pathlib import Path
from string import Template

from . import install, paths, tls, web
from .service import Service, digest

MODULE = "ngx_http_dav_ext_module.so"
MODULE_FOLDERS = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")
TEMPLATE = Path(__file__).with_name("nginx.conf.template")
USER, PASSWORD = "holdall", "holdall-secret"


class Nginx(Service):
    name = "nginx"
    purpose = "HTTP, WebDAV, TLS"
    # The program is that of the system, 1.19.5 or newer.
    version = digest(TEMPLATE, Path(__file__))
    licence = "BSD-2-Clause"
    package = "Debian packages nginx and libnginx-mod-http-dav-ext"
    port_names = ("main", "tls")

    def install(self) -> None:
        if not (program() and module()):
            install.debian_packages("nginx", "libnginx-mod-http-dav-ext")
        if not (program() and module()):
            raise install.Unavailable(f"nginx, or its {MODULE}, is not where Debian puts it")
        tls.make_certificates()

    def command(self, ports: dict[str, int]) -> tuple[list[str], dict[str, str]]:
        for folder in ("dav", "http", "tmp"):
            (self.data / folder).mkdir()
        fill(self.data / "http")
        (self.data / "passwords").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
        text = Template(TEMPLATE.read_text()).substitute(
            # Started as root, nginx would hand its workers to a user who may not read this folder.
            user="user root;" if os.geteuid() == 0 else "",
            module=module(),
            data=self.data,
            port=ports["main"],
            tls_port=ports["tls"],
            tls=paths.TLS,
        )
        config = self.data / "nginx.conf"
        config.write_text(text)
        return [str(program()), "-p", str(self.data), "-e", "stderr", "-c", str(config)], {}

    def healthy(self, ports: dict[str, int]) -> bool:
        return web.request("GET", ports["main"], "/http/hello.txt").status == 200

    def prepare(self, ports: dict[str, int]) -> None:
        """Shows that what is easily lost, the WebDAV module and TLS, works."""
        listing = web.request("PROPFIND", ports["main"], "/dav/", headers={"Depth": "1"})
        listing.expect(207)
        tls.check(ports["tls"])

    def env(self, ports: dict[str, int]) -> dict[str, str]:
        plain, secure = f"http://127.0.0.1:{ports['main']}", f"https://localhost:{ports['tls']}"
        return {
            "HOLDALL_TEST_HTTP_URL": f"{plain}/http",
            "HOLDALL_TEST_HTTP_ROOT": str(self.data / "http"),
            "HOLDALL_TEST_HTTP_SLOW_URL": f"{plain}/slow",
            "HOLDALL_TEST_HTTP_LIMITED_URL": f"{plain}/limited",
            "HOLDALL_TEST_HTTP_NO_RANGES_URL": f"{plain}/no-ranges",
            "HOLDALL_TEST_HTTP_REDIRECT_URL": f"{plain}/redirect",
            "HOLDALL_TEST_HTTP_PRIVATE_URL": f"{plain}/private",
            "HOLDALL_TEST_HTTP_PRIVATE_USER": USER,
            "HOLDALL_TEST_HTTP_PRIVATE_PASSWORD": PASSWORD,
            "HOLDALL_TEST_HTTP_ERROR_URL": f"{plain}/error",
            "HOLDALL_TEST_WEBDAV_URL": f"{plain}/dav",
            "HOLDALL_TEST_WEBDAV_ROOT": str(self.data / "dav"),
            "HOLDALL_TEST_HTTPS_URL": f"{secure}/http",
            "HOLDALL_TEST_HTTPS_WEBDAV_URL": f"{secure}/dav",
            "HOLDALL_TEST_CA_FILE": str(tls.CA),
        }


def program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def module() -> str | None:
    found = (Path(folder) / MODULE for folder in MODULE_FOLDERS)
    return next((str(path) for path in found if path.exists()), None)


def fill(root: Path) -> None:
    """Some files that tests may count on."""
    (root / "hello.txt").write_text("hello, world\n")
    (root / "empty").touch()
    (root / "1MiB.bin").write_bytes(bytes(range(256)) * 4096)
    (root / "folder").mkdir()
    for name in ("a.json", "b.json", "c d.json"):
        (root / "folder" / name).write_text(f'{{"name": "{name}"}}\n')
