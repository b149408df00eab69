"""The few S3 requests that setting up a server takes, and what tests are told about an S3 server."""

from . import sigv4, web

BUCKET = "test-bucket"
SECOND_BUCKET = "test-bucket-2"  # for copies from one bucket to another
VERSIONED_BUCKET = "test-versioned"

VERSIONING = (
    b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<Status>Enabled</Status></VersioningConfiguration>"
)


def request(
    method: str, port: int, path: str, query: dict[str, str], body: bytes = b""
) -> web.Answer:
    encoded = sigv4.encode_query(query.items())
    headers = sigv4.signed(method, f"127.0.0.1:{port}", path, encoded, {}, body)
    return web.request(method, port, f"{path}?{encoded}" if encoded else path, body, headers)


def answers(port: int) -> bool:
    """Whether it lists its buckets, which needs a working signature on both sides."""
    return request("GET", port, "/", {}).status == 200


def make_buckets(port: int) -> None:
    for bucket in (BUCKET, SECOND_BUCKET, VERSIONED_BUCKET):
        request("PUT", port, f"/{bucket}", {}).expect(200)
    request("PUT", port, f"/{VERSIONED_BUCKET}", {"versioning": ""}, VERSIONING).expect(200)


def env(prefix: str, port: int) -> dict[str, str]:
    return {
        f"{prefix}_ENDPOINT": f"http://127.0.0.1:{port}",
        f"{prefix}_ACCESS_KEY_ID": sigv4.ACCESS_KEY,
        f"{prefix}_SECRET_ACCESS_KEY": sigv4.SECRET_KEY,
        f"{prefix}_REGION": sigv4.REGION,
        f"{prefix}_BUCKET": BUCKET,
        f"{prefix}_BUCKET_2": SECOND_BUCKET,
        f"{prefix}_BUCKET_VERSIONED": VERSIONED_BUCKET,
    }
