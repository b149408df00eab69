"""AWS Signature Version 4, as far as an S3 server on loopback needs it.

The rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import datetime
import hashlib
import hmac
from collections.abc import Iterable
from urllib.parse import quote

ACCESS_KEY = "holdall"
SECRET_KEY = "holdall-secret"
REGION = "us-east-1"

UNSIGNED = "UNSIGNED-PAYLOAD"  # the body is not covered, so that it can be streamed


def encode_path(path: str) -> str:
    """A decoded path in the one spelling that the signature is made from."""
    return quote(path, safe="/-_.~")


def encode_query(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(pairs))


def signed(
    method: str,
    host: str,
    path: str,
    query: str,
    headers: dict[str, str],
    payload: bytes | None = b"",
) -> dict[str, str]:
    """The headers with those of the signature added.

    `path` and `query` are encoded as by `encode_path` and `encode_query`. A `payload` of `None` is not signed.
    """
    now = datetime.datetime.now(datetime.UTC)
    day, stamp = now.strftime("%Y%m%d"), now.strftime("%Y%m%dT%H%M%SZ")
    digest = UNSIGNED if payload is None else hashlib.sha256(payload).hexdigest()
    extra = {"host": host, "x-amz-date": stamp, "x-amz-content-sha256": digest}
    amazon = {
        k.lower(): " ".join(v.split()) for k, v in headers.items() if k.lower().startswith("x-amz-")
    }
    covered = dict(sorted((amazon | extra).items()))
    names = ";".join(covered)
    lines = [method, path, query, *(f"{k}:{v}" for k, v in covered.items()), "", names, digest]
    scope = f"{day}/{REGION}/s3/aws4_request"
    canonical = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    key = f"AWS4{SECRET_KEY}".encode()
    for step in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}"):
        key = hmac.digest(key, step.encode(), "sha256")
    credential = f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, SignedHeaders={names}"
    return headers | extra | {"Authorization": f"{credential}, Signature={key.hex()}"}
