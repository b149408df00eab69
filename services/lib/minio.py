"""MinIO: a second opinion on S3, for the full run."""

from . import install, s3, sigv4
from .service import Service


class Minio(Service):
    name = "minio"
    purpose = "S3, second opinion"
    version = "v0.0.0-20260212201848-7aac2a2c5b7c"  # the last before its repository was archived
    licence = "AGPL-3.0 (runs as a separate process, in tests only)"
    package = "github.com/minio/minio"
    port_names = ("main", "console")

    def install(self) -> None:
        self.program = install.go_program(self.package, self.version, self.name)

    def command(self, ports: dict[str, int]) -> tuple[list[str], dict[str, str]]:
        listen = ["--address", f"127.0.0.1:{ports['main']}"]
        console = ["--console-address", f"127.0.0.1:{ports['console']}"]
        keys = {
            "MINIO_ROOT_USER": sigv4.ACCESS_KEY,
            "MINIO_ROOT_PASSWORD": sigv4.SECRET_KEY,
            "MINIO_REGION": sigv4.REGION,
            "MINIO_UPDATE": "off",
            "MINIO_BROWSER": "off",
        }
        return [str(self.program), "server", *listen, *console, "--quiet", str(self.data)], keys

    def healthy(self, ports: dict[str, int]) -> bool:
        return s3.answers(ports["main"])

    def prepare(self, ports: dict[str, int]) -> None:
        s3.make_buckets(ports["main"])

    def env(self, ports: dict[str, int]) -> dict[str, str]:
        return s3.env("HOLDALL_TEST_MINIO", ports["main"])
