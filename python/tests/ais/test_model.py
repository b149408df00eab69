"""Typed messages: what pydantic's models do, for the parts that programs use."""

from __future__ import annotations

import pickle
from typing import Any, Literal, Optional

import pytest

from holdall.aistore._model import Model, RootModel, ValidationError, field, validate
from holdall.aistore.performance import ClusterPerformance
from holdall.aistore.types import ETLInitMsg


class Inner(Model):
    id: str
    count: int = 0


class Outer(Model):
    inner: Inner
    many: list[Inner] = field(alias="in-many", default_factory=list)
    named: dict[str, Inner] = {}  # noqa: RUF012
    kind: Literal["a", "b"] = "a"
    maybe: Optional[float] = None  # noqa: UP045


class Names(RootModel[list[Inner]]):
    pass


def test_json_goes_in_and_out() -> None:
    text = '{"inner": {"id": "x", "count": "7"}, "in-many": [{"id": "y"}], "kind": "b", "new": 1}'
    outer = Outer.model_validate_json(text)
    assert outer.inner.count == 7 and outer.many == [Inner(id="y")]
    assert outer.model_dump(by_alias=True, exclude_defaults=True) == {
        "inner": {"id": "x", "count": 7},
        "in-many": [{"id": "y"}],
        "kind": "b",
    }
    assert Outer.model_validate(outer.dict()) == outer
    assert Outer.model_validate_json(outer.json(by_alias=True)) == outer
    assert outer.model_dump(exclude_none=True, include={"maybe", "kind"}) == {"kind": "b"}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, "'inner' is missing"),
        ({"inner": 3}, "Outer.inner"),
        ({"inner": {"id": 3}}, "a text expected"),
        ({"inner": {"id": "x", "count": "many"}}, "an integer expected"),
        ({"inner": {"id": "x"}, "kind": "c"}, "one of 'a', 'b'"),
        ({"inner": {"id": "x"}, "in-many": {"id": "y"}}, "a list expected"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(data: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Outer(**data)


def test_defaults_are_not_shared() -> None:
    one, other = Outer(inner=Inner(id="x")), Outer(inner=Inner(id="x"))
    one.named["n"] = one.inner
    assert other.named == {}


def test_lists_and_dictionaries_can_be_messages() -> None:
    names = Names.model_validate_json('[{"id": "x"}]')
    assert names == Names([Inner(id="x")]) == Names(root=[{"id": "x"}])
    assert names.model_dump() == [{"id": "x", "count": 0}]
    assert validate(dict[str, list[Inner]], {"k": [{"id": "x"}]}) == {"k": [Inner(id="x")]}


def test_copies_and_pickles() -> None:
    outer = Outer(inner=Inner(id="x"))
    assert pickle.loads(pickle.dumps(outer)) == outer
    copy = outer.model_copy(update={"kind": "b"})
    assert (copy.kind, outer.kind) == ("b", "a")
    assert repr(copy.inner) == "Inner(id='x', count=0)" and str(copy.inner) == "id='x' count=0"
    with pytest.raises(ValueError, match="no field"):
        outer.other = 1


def test_a_field_of_pydantics_models() -> None:
    pydantic = pytest.importorskip("pydantic", reason="pydantic is not installed")
    adapter = pydantic.TypeAdapter(list[Inner])
    assert adapter.validate_json('[{"id": "x"}]') == [Inner(id="x")]


def test_counters_of_nodes_have_the_names_of_every_generation() -> None:
    counters = {
        "get.n": 4,
        "get.size": {"v": 100},
        "get.bps": {"v": "7"},
        "get.ns.total": 9,
        "lst.n": 2,
    }
    found = ClusterPerformance({"t1": {"tracker": counters}})
    throughput = found.throughput["t1"]
    assert throughput.as_dict() == {"get.size": 100, "get.bps": 7}
    assert (throughput.get_bw, throughput.get_total_size, throughput.get_avg_size) == (7, 100, 25)
    # Of another group, and not counted so far.
    assert (throughput.get_n, throughput.put_n, throughput.put_avg_size) == (4, 0, 0)
    assert dict(found.latency["t1"]) == {"get.ns.total": 9}
    assert found.counters["t1"].list_n == 2
    with pytest.raises(AttributeError, match="get_bsp"):
        _ = throughput.get_bsp
    assert found.as_dict().keys() == {"throughput", "latency", "counters"}
    assert pickle.loads(pickle.dumps(throughput)) == throughput


def test_how_an_etl_was_made_is_a_pod_too() -> None:
    yaml = pytest.importorskip("yaml")
    runtime = {"image": "some/image:1", "command": ["run", "--fast"], "env": None}
    message = ETLInitMsg(name="my-etl", communication="hpush://", runtime=runtime)
    assert message.spec is not None
    pod = yaml.safe_load(message.spec)
    assert pod["spec"]["containers"][0]["command"] == ["run", "--fast"]
    assert pod["metadata"]["annotations"]["communication_type"] == "hpush://"
    assert ETLInitMsg(name="my-etl", spec=b"YTogMQ==").spec == b"a: 1"
