"""Reading from plain HTTP servers, which say and leave out what they like."""

from __future__ import annotations

import io
import random
import re
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from loopback import Reply, serving

import holdall
from holdall.exceptions import CorruptReplyError, NotFoundError
from holdall.store import HTTPStore

CONTENT = random.Random(7).randbytes(3_000_000)
OTHER = CONTENT[::-1]


def answer(request, content=CONTENT, headers=None, *, ranges=True):
    """What a good server answers."""
    headers = {"ETag": '"1"'} if headers is None else dict(headers)
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
    if asked is None or not ranges:
        return Reply(body=content, headers=headers)
    first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
    if first >= len(content):
        return Reply(416, headers=headers)
    headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
    return Reply(206, content[first : last + 1], headers)


@contextmanager
def store_of(reply):
    with serving(reply) as server:
        yield HTTPStore(server.url, retry_config={"max_retries": 0}), server


@pytest.mark.parametrize("said", [0, 2_999_000, 3_001_000])
def test_a_file_is_as_long_as_what_is_sent_of_it(said):
    def reply(request):
        if request.method == "HEAD":
            return Reply(headers={"ETag": '"1"', "Content-Length": str(said)})
        return answer(request)

    with store_of(reply) as (store, _):
        assert holdall.open_reader(store, "k").read() == CONTENT
        file = holdall.open_reader(store, "k", buffer_size=1000)
        file.seek(2_999_500)
        if said > 2_999_500 or said == 0:
            assert file.read() == CONTENT[2_999_500:]
        else:
            assert file.read(10) == CONTENT[2_999_500:2_999_510]
        assert file.read(1) == b"" or said == 2_999_000
        assert file.size == len(CONTENT)
        assert holdall.open_reader(store, "k").readall() == CONTENT
        buffer = bytearray(len(CONTENT))
        count = holdall.read_into(store, "k", buffer, start=1_000_000)
        assert buffer[:count] == CONTENT[1_000_000:]
        if said:
            file = holdall.open_reader(store, "k")
            file.seek(-8, io.SEEK_END)
            with pytest.raises(CorruptReplyError, match="than it was said to"):
                file.read()


async def test_a_file_that_is_awaited_is_as_long_as_what_is_sent_of_it():
    def reply(request):
        if request.method == "HEAD":
            return Reply(headers={"ETag": '"1"', "Content-Length": "1000"})
        return answer(request)

    with store_of(reply) as (store, _):
        file = await holdall.open_reader_async(store, "k")
        assert bytes(await file.read()) == CONTENT


def test_an_empty_file_is_empty():
    with store_of(lambda request: answer(request, b"")) as (store, _):
        file = holdall.open_reader(store, "k")
        assert file.read() == b"" == file.read(5)
        assert list(file) == []


def test_files_of_servers_without_ranges_are_read_forward():
    with store_of(lambda request: answer(request, ranges=False)) as (store, server):
        file = holdall.open_reader(store, "k", buffer_size=10_000)
        before = len(server.requests)
        theirs = io.BytesIO(CONTENT)
        for at in range(0, len(CONTENT), 500_000):
            file.seek(at)
            theirs.seek(at)
            assert file.read(70_000) == theirs.read(70_000)
            assert file.readline() == theirs.readline()
        assert len(server.requests) - before <= 2
        file.seek(5)
        assert file.read(10) == CONTENT[5:15]
        assert len(server.requests) - before <= 3
        assert holdall.open_reader(store, "k").read() == CONTENT


def test_other_libraries_read_from_servers_without_ranges():
    table = pa.table({"a": list(range(1000))})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    content = sink.getvalue()
    with store_of(lambda request: answer(request, content, ranges=False)) as (store, _):
        assert pq.read_table(holdall.open_reader(store, "k")).equals(table)


def test_ranges_are_taken_out_of_the_whole():
    with store_of(lambda request: answer(request, ranges=False)) as (store, server):
        assert holdall.get_range(store, "k", start=5, length=10) == CONTENT[5:15]
        starts = [2_900_000, 5, 1_000_000]
        before = len(server.requests)
        found = holdall.get_ranges(store, "k", starts=starts, lengths=[100] * 3, coalesce=0)
        assert [bytes(data) for data in found] == [CONTENT[at : at + 100] for at in starts]
        assert len(server.requests) - before <= 4


def test_a_length_that_is_left_open_is_no_error():
    def reply(request):
        good = answer(request)
        if "Content-Range" in good.headers:
            good.headers["Content-Range"] = good.headers["Content-Range"].split("/")[0] + "/*"
        return good

    with store_of(reply) as (store, _):
        assert holdall.get_range(store, "k", start=0, length=1000) == CONTENT[:1000]
        assert holdall.open_reader(store, "k").read() == CONTENT


def test_a_page_in_place_of_a_range_is_never_kept(tmp_path):
    replies = 0

    def reply(request):
        nonlocal replies
        replies += 1
        good = answer(request)
        return Reply(206, "<html>sorry</html>", good.headers) if replies == 3 else good

    with store_of(reply) as (store, _):
        holdall.download(store, "k", tmp_path / "k", part_size=500_000)
        assert (tmp_path / "k").read_bytes() == CONTENT
        replies = 0
        buffer = bytearray(len(CONTENT))
        holdall.read_into(store, "k", buffer, part_size=500_000)
        assert buffer == CONTENT


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"1"'}])
def test_what_arrives_is_never_of_two_versions(tmp_path, headers):
    for after in range(1, 5):
        replies = 0

        def reply(request, after=after):
            nonlocal replies
            replies += 1
            return answer(request, CONTENT if replies <= after else OTHER, headers)

        with store_of(reply) as (store, _):
            holdall.download(store, "k", tmp_path / "k", part_size=500_000, resume=True)
            assert (tmp_path / "k").read_bytes() in (CONTENT, OTHER)
            replies = 0
            buffer = bytearray(len(CONTENT))
            holdall.read_into(store, "k", buffer, part_size=500_000)
            assert buffer in (CONTENT, OTHER)
            replies = 0
            assert holdall.open_reader(store, "k", buffer_size=9000).read() in (CONTENT, OTHER)


@pytest.mark.parametrize("status", [403, 404, 501])
def test_files_of_servers_that_refuse_a_head(status):
    def reply(request):
        return Reply(status) if request.method == "HEAD" else answer(request)

    with store_of(reply) as (store, _):
        assert holdall.open_reader(store, "k").read() == CONTENT
        assert holdall.head(store, "k")["size"] == len(CONTENT)
    with store_of(lambda _: Reply(404)) as (store, _), pytest.raises(NotFoundError):
        holdall.open_reader(store, "k")
