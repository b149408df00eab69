"""The server's face for clients of S3: boto3, rclone, and our own S3 store, with signatures that are checked."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import urllib.error
import urllib.request
import zlib

import pytest

import holdall
from holdall import aistore
from holdall.store import S3Store

boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
from boto3.s3.transfer import TransferConfig  # noqa: E402
from botocore.config import Config  # noqa: E402
from botocore.exceptions import ClientError  # noqa: E402

KEYS = {"access": "s3cret", "other": "m0re"}
MIB = 1 << 20


@pytest.fixture(scope="module")
def server():
    with aistore.serve(s3_keys=KEYS) as server:
        yield server


def client(server: aistore.Server, access: str = "access", secret: str | None = None, **config):
    return boto3.client(
        "s3",
        endpoint_url=f"{server.url}/s3",
        aws_access_key_id=access,
        aws_secret_access_key=secret or KEYS[access],
        region_name="eu-central-1",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, **config),
    )


@pytest.fixture
def s3(server, request):
    s3 = client(server)
    s3.create_bucket(
        Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    yield s3
    s3.delete_bucket(Bucket="bucket")


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def test_objects_keep_what_is_said_of_them(s3):
    key = "a b/ü&<>+%2B\n."
    s3.put_object(
        Bucket="bucket",
        Key=key,
        Body=b"hello",
        ContentType="text/plain",
        CacheControl="max-age=5",
        ContentDisposition='attachment; filename="x"',
        Metadata={"Who": "me"},
        Tagging="k=v",
    )
    reply = s3.get_object(Bucket="bucket", Key=key)
    assert reply["Body"].read() == b"hello"
    assert (reply["ContentType"], reply["CacheControl"]) == ("text/plain", "max-age=5")
    assert reply["ContentDisposition"] == 'attachment; filename="x"'
    assert (reply["Metadata"], reply["TagCount"]) == ({"who": "me"}, 1)
    tags = s3.get_object_tagging(Bucket="bucket", Key=key)["TagSet"]
    assert tags == [{"Key": "k", "Value": "v"}]
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="bucket")["Contents"]] == [key]
    deleted = s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": key}]})
    assert [entry["Key"] for entry in deleted["Deleted"]] == [key]
    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="bucket", Key=key)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_there_and_back(s3, algorithm):
    if algorithm in ("CRC32C", "CRC64NVME"):
        pytest.importorskip(
            "awscrt", reason="awscrt, which computes this checksum, is not installed"
        )
    data = os.urandom(100_000)
    s3.put_object(Bucket="bucket", Key="o", Body=data, ChecksumAlgorithm=algorithm)
    reply = s3.get_object(Bucket="bucket", Key="o", ChecksumMode="ENABLED")
    assert f"Checksum{algorithm}" in reply
    assert reply["Body"].read() == data


def test_content_without_a_known_length_comes_in_pieces(s3):
    class Stream(io.RawIOBase):
        """Not seekable: so boto3 cannot hash it beforehand."""

        def __init__(self, data: bytes) -> None:
            self.inner = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def readinto(self, into) -> int:
            return self.inner.readinto(into)

    data = os.urandom(3 * MIB + 5)
    s3.upload_fileobj(Stream(data), "bucket", "o")
    assert s3.get_object(Bucket="bucket", Key="o")["Body"].read() == data


def test_large_files_go_in_parts(s3, tmp_path):
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    data = os.urandom(12 * MIB + 3)
    (tmp_path / "in").write_bytes(data)
    s3.upload_file(str(tmp_path / "in"), "bucket", "big", Config=config)
    head = s3.head_object(Bucket="bucket", Key="big")
    assert head["ETag"].endswith('-3"')
    s3.copy({"Bucket": "bucket", "Key": "big"}, "bucket", "copy", Config=config)
    s3.download_file("bucket", "copy", str(tmp_path / "out"), Config=config)
    assert (tmp_path / "out").read_bytes() == data
    assert (
        s3.get_object(Bucket="bucket", Key="big", PartNumber=3)["Body"].read() == data[10 * MIB :]
    )


def test_conditional_writes(s3):
    tag = s3.put_object(Bucket="bucket", Key="o", Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as error:
        s3.put_object(Bucket="bucket", Key="o", Body=b"2", IfNoneMatch="*")
    assert code(error) == "PreconditionFailed"
    s3.put_object(Bucket="bucket", Key="o", Body=b"3", IfMatch=tag)
    with pytest.raises(ClientError):
        s3.put_object(Bucket="bucket", Key="o", Body=b"4", IfMatch=tag)
    assert s3.get_object(Bucket="bucket", Key="o")["Body"].read() == b"3"


def test_pages_and_folders(s3):
    keys = [f"{folder}/{number:04}" for folder in "abc" for number in range(400)]
    for key in keys:
        s3.put_object(Bucket="bucket", Key=key, Body=b"")
    for name in ("list_objects", "list_objects_v2"):
        pages = s3.get_paginator(name).paginate(Bucket="bucket")
        assert [entry["Key"] for page in pages for entry in page["Contents"]] == keys
        pages = s3.get_paginator(name).paginate(
            Bucket="bucket", Delimiter="/", PaginationConfig={"PageSize": 2}
        )
        folders = [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]
        assert folders == ["a/", "b/", "c/"]


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_signed_urls(server, s3, version):
    s3 = client(server, signature_version=version)
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "bucket", "Key": "a b"})
    # Old signatures are over the type, which urllib would make one up for.
    put = urllib.request.Request(url, data=b"x", method="PUT", headers={"Content-Type": ""})
    with urllib.request.urlopen(put) as reply:
        assert reply.status == 200
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "bucket", "Key": "a b"})
    with urllib.request.urlopen(url) as reply:
        assert reply.read() == b"x"
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(url.replace("a%20b", "c"))
    assert error.value.code == 403


@pytest.mark.parametrize(
    ("access", "secret", "expected"),
    [
        ("access", "wrong", "SignatureDoesNotMatch"),
        ("nobody", "s3cret", "InvalidAccessKeyId"),
    ],
)
def test_wrong_keys(server, access, secret, expected):
    with pytest.raises(ClientError) as error:
        client(server, access, secret).list_buckets()
    assert code(error) == expected
    with pytest.raises(ClientError):
        client(server, access, secret).put_object(Bucket="bucket", Key="o", Body=b"x" * 100)


def test_keys_are_not_told():
    with pytest.raises(ValueError, match="s3_keys") as error:
        aistore.serve(s3_keys={"a/b": "s3cret"})
    assert "s3cret" not in str(error.value)


def test_our_own_store(server, s3):
    store = S3Store(
        "bucket",
        config={
            "endpoint": f"{server.url}/s3",
            "access_key_id": "other",
            "secret_access_key": KEYS["other"],
            "region": "us-east-1",
        },
        client_options={"allow_http": True},
    )
    data = os.urandom(11 * MIB)
    holdall.put(store, "big", data, chunk_size=5 * MIB)
    assert holdall.get(store, "big").bytes() == data
    holdall.put(store, "a/o", b"x", mode="create")
    with pytest.raises(holdall.exceptions.AlreadyExistsError):
        holdall.put(store, "a/o", b"y", mode="create")
    holdall.copy(store, "a/o", "a/p")
    assert bytes(holdall.get_range(store, "big", start=5, length=7)) == data[5:12]
    assert sorted(entry["path"] for page in store.list() for entry in page) == ["a/o", "a/p", "big"]
    holdall.delete(store, ["a/o", "a/p", "big"])
    assert [entry for page in store.list() for entry in page] == []


@pytest.mark.skipif(not shutil.which("rclone"), reason="rclone is not installed")
def test_rclone_syncs_both_ways(server, s3, tmp_path):
    source, back = tmp_path / "source", tmp_path / "back"
    (source / "deep er" / "ü").mkdir(parents=True)
    for name, size in [("empty", 0), ("a&b +%.txt", 10), ("deep er/ü/x", 1000), ("big", 11 * MIB)]:
        (source / name).write_bytes(os.urandom(size))
    remote = (
        f':s3,provider=Other,access_key_id=access,secret_access_key=s3cret,endpoint="{server.url}/s3":'
        "bucket/folder"
    )

    def rclone(*arguments: str) -> str:
        command = ["rclone", "--config", os.devnull, *arguments]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        return run.stderr

    rclone("sync", str(source), remote, "--s3-upload-cutoff", "6M", "--s3-chunk-size", "5M")
    assert "0 differences" in rclone("check", str(source), remote)
    rclone("sync", remote, str(back))
    assert "0 differences" in rclone("check", "--download", str(back), remote)
    (source / "empty").unlink()
    (source / "big").write_bytes(b"small now")
    rclone("sync", str(source), remote)
    assert "0 differences" in rclone("check", str(source), remote)


def signed_pieces(server: aistore.Server, pieces: list[bytes], spoil: int | None = None) -> int:
    """Put an object in pieces that are signed one by one, with a signed trailer, as the SDKs of Go and Java do; the
    signature of piece `spoil` is wrong. Returns the status."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    data = b"".join(pieces)
    request = AWSRequest(
        "PUT",
        f"{server.url}/s3/bucket/pieces",
        headers={
            "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            "x-amz-decoded-content-length": str(len(data)),
            "x-amz-trailer": "x-amz-checksum-crc32",
            "content-encoding": "aws-chunked",
        },
    )

    class Auth(S3SigV4Auth):
        def payload(self, request):
            return request.headers["x-amz-content-sha256"]

        def _modify_request_before_signing(self, request):
            form = request.headers["x-amz-content-sha256"]
            super()._modify_request_before_signing(request)
            request.headers.replace_header("x-amz-content-sha256", form)

    auth = Auth(Credentials("access", KEYS["access"]), "s3", "eu-central-1")
    auth.add_auth(request)
    date = request.context["timestamp"]
    scope = auth.credential_scope(request)
    last = request.headers["Authorization"].rsplit("Signature=", 1)[1]

    def sign(kind: str, *hashes: str) -> str:
        nonlocal last
        last = auth.signature(
            "\n".join([f"AWS4-HMAC-SHA256-{kind}", date, scope, last, *hashes]), request
        )
        return last

    empty = hashlib.sha256(b"").hexdigest()
    body = b""
    for number, piece in enumerate([*pieces, b""]):
        signature = sign("PAYLOAD", empty, hashlib.sha256(piece).hexdigest())
        if number == spoil:
            signature = "0" * 64
        end = b"\r\n" if piece else b""
        body += f"{len(piece):x};chunk-signature={signature}\r\n".encode() + piece + end
    crc = base64.b64encode(zlib.crc32(data).to_bytes(4)).decode()
    trailer = f"x-amz-checksum-crc32:{crc}"
    signature = sign("TRAILER", hashlib.sha256(f"{trailer}\n".encode()).hexdigest())
    body += f"{trailer}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()
    sent = urllib.request.Request(
        request.url, data=body, method="PUT", headers=dict(request.headers.items())
    )
    try:
        with urllib.request.urlopen(sent) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code


def test_bodies_in_signed_pieces(server, s3):
    pieces = [os.urandom(64 << 10), os.urandom(5), os.urandom(2 * MIB)]
    assert signed_pieces(server, pieces) == 200
    assert s3.get_object(Bucket="bucket", Key="pieces")["Body"].read() == b"".join(pieces)
    for spoil in range(4):
        assert signed_pieces(server, [b"other", b"and more", b"!"], spoil) == 403
    # Nothing of them was written.
    assert s3.head_object(Bucket="bucket", Key="pieces")["ContentLength"] == len(b"".join(pieces))
