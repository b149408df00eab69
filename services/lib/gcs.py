"""Our stand-in for Google Cloud Storage: `gcs_proxy.py` in front of versitygw."""

import json
import sys
from pathlib import Path

from . import paths, s3, web
from .service import Service, digest, running

PROGRAM = Path(__file__).with_name("gcs_proxy.py")


class Gcs(Service):
    name = "gcs"
    purpose = "Google Cloud Storage (XML API)"
    version = digest(PROGRAM, Path(__file__))
    licence = "that of holdall"
    package = "services/lib/gcs_proxy.py"
    needs = ("versitygw",)

    def command(self, ports: dict[str, int]) -> tuple[list[str], dict[str, str]]:
        upstream = running("versitygw")
        if upstream is None:
            raise RuntimeError("gcs: versitygw, which it stands in front of, does not run")
        # As a module, so that it finds its neighbours.
        command = [sys.executable, "-m", "lib.gcs_proxy"]
        return [*command, str(ports["main"]), str(upstream.ports["main"])], {
            "PYTHONPATH": str(PROGRAM.parents[1])
        }

    def healthy(self, ports: dict[str, int]) -> bool:
        return web.request("GET", ports["main"], "/").status == 200

    def prepare(self, ports: dict[str, int]) -> None:
        for bucket in (s3.BUCKET, s3.SECOND_BUCKET, s3.VERSIONED_BUCKET):
            # They outlive the proxy when only the proxy is started anew.
            web.request("PUT", ports["main"], f"/{bucket}").expect(200, 409)
        # The first bucket too: users of Cloud Storage expect to read an object by its generation.
        for bucket in (s3.BUCKET, s3.VERSIONED_BUCKET):
            web.request("PUT", ports["main"], f"/{bucket}?versioning", s3.VERSIONING).expect(200)
        account = {
            "type": "service_account",
            "gcs_base_url": f"http://127.0.0.1:{ports['main']}",
            "disable_oauth": True,
            "client_email": "",
            "private_key": "",
            "private_key_id": "",
        }
        (paths.HOME / "gcs-service-account.json").write_text(json.dumps(account, indent=2) + "\n")

    def env(self, ports: dict[str, int]) -> dict[str, str]:
        return {
            "HOLDALL_TEST_GCS_ENDPOINT": f"http://127.0.0.1:{ports['main']}",
            "HOLDALL_TEST_GCS_SERVICE_ACCOUNT": str(paths.HOME / "gcs-service-account.json"),
            "HOLDALL_TEST_GCS_BUCKET": s3.BUCKET,
            "HOLDALL_TEST_GCS_BUCKET_2": s3.SECOND_BUCKET,
            "HOLDALL_TEST_GCS_BUCKET_VERSIONED": s3.VERSIONED_BUCKET,
        }
