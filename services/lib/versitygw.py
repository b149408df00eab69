"""versitygw: S3 over a folder of plain files. The default S3 server of the tests."""

import os

from . import install, s3, sigv4
from .service import Service


class Versitygw(Service):
    name = "versitygw"
    purpose = "S3"
    version = "v1.8.0"
    licence = "Apache-2.0"
    package = "github.com/versity/versitygw/cmd/versitygw"

    def install(self) -> None:
        self.program = install.go_program(self.package, self.version, self.name)

    def command(self, ports: dict[str, int]) -> tuple[list[str], dict[str, str]]:
        folders = {part: self.data / part for part in ("buckets", "versions", "sidecar")}
        for folder in folders.values():
            folder.mkdir()
        listen = ["--port", f"127.0.0.1:{ports['main']}", "--region", sigv4.REGION]
        # Without --keep-alive it closes the connection after every request, which no real S3 does.
        options = ["--keep-alive", "--quiet", "posix", "--versioning-dir", str(folders["versions"])]
        if not keeps_attributes(str(folders["buckets"])):
            options += ["--sidecar", str(folders["sidecar"])]
        keys = {"ROOT_ACCESS_KEY": sigv4.ACCESS_KEY, "ROOT_SECRET_KEY": sigv4.SECRET_KEY}
        return [str(self.program), *listen, *options, str(folders["buckets"])], keys

    def healthy(self, ports: dict[str, int]) -> bool:
        return s3.answers(ports["main"])

    def prepare(self, ports: dict[str, int]) -> None:
        s3.make_buckets(ports["main"])

    def env(self, ports: dict[str, int]) -> dict[str, str]:
        return s3.env("HOLDALL_TEST_S3", ports["main"])


def keeps_attributes(folder: str) -> bool:
    """Whether the file system has extended attributes, where versitygw keeps what it knows about an object."""
    try:
        os.setxattr(folder, "user.holdall", b"1")
        os.removexattr(folder, "user.holdall")
    except (OSError, AttributeError):
        return False
    return True
