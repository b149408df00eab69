"""`Bytes` behaves like `bytes`."""

from __future__ import annotations

import json
import pickle
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdall import Bytes


@given(
    st.binary(),
    st.binary(max_size=3),
    st.integers(-10, 10) | st.none(),
    st.integers(-10, 10) | st.none(),
    st.sampled_from([None, 1, 2, -1, -3]),
)
def test_like_bytes(data, other, start, stop, step):
    ours = Bytes(data)
    assert ours == data
    assert hash(ours) == hash(data)
    assert len(ours) == len(data)
    assert ours[start:stop:step] == data[start:stop:step]
    assert ours + other == data + other
    assert other + ours == other + data
    assert ours * 2 == data * 2
    assert (other in ours) == (other in data)
    assert (ours < other) == (data < other)
    assert list(ours) == list(data)
    assert ours.find(other) == data.find(other)
    assert ours.hex() == data.hex()
    assert ours.split() == data.split()
    assert bytes(ours) == data
    assert repr(ours) == f"Bytes({data!r})"
    assert pickle.loads(pickle.dumps(ours)) == ours


def test_memory_is_shared():
    ours = Bytes(b"0123456789")
    view = memoryview(ours)
    assert view.readonly
    address = np.frombuffer(ours, np.uint8).__array_interface__["data"][0]
    part = np.frombuffer(ours[3:7], np.uint8).__array_interface__["data"][0]
    assert part == address + 3


def test_programs_that_want_bytes():
    assert json.loads(Bytes(b'{"a": 1}')) == {"a": 1}
    assert zlib.decompress(Bytes(zlib.compress(b"x" * 100))) == b"x" * 100
    assert {Bytes(b"k"): 1}[b"k"] == 1
    assert Bytes(b"%d") % 5 == b"5"
    assert b"".join([Bytes(b"a"), b"b"]) == b"ab"
    assert isinstance(Bytes(), bytes)
    assert type(Bytes()) is Bytes


def test_errors():
    with pytest.raises(IndexError):
        Bytes(b"a")[1]
    with pytest.raises(TypeError):
        Bytes(b"a")["x"]
    with pytest.raises(ValueError, match="zero"):
        Bytes(b"a")[::0]
    with pytest.raises(AttributeError):
        _ = Bytes(b"a").nothing


def test_arrays_of_bytes_are_extended_in_their_place():
    grown = bytearray(b"1")
    same = grown
    grown += Bytes(b"23")
    assert same is grown
    assert grown == b"123"
    assert type(bytearray(b"1") + Bytes(b"2")) is bytearray
    assert type(b"1" + Bytes(b"2")) is bytes
