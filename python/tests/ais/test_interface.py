"""Every name of the official SDK is here, with the same parameters and defaults."""

from __future__ import annotations

import enum
import importlib
import inspect
import pkgutil
import warnings

import pytest

sdk = pytest.importorskip("aistore.sdk", reason="the official SDK is not installed")

# What belongs to the official SDK's own transport (requests, tenacity) and to nobody's program.
INTERNAL = {
    "request_executor",
    "retry_manager",
    "lock_poller",
    "batch.extractor",
    "batch.multipart",
}
# Classes that do the same in another way: fields and methods of theirs are not for programs.
OTHER_INSIDE = {"RetryConfig", "ETLServer", "SessionManager", "RingBuffer", "WorkerState"}


def modules() -> list[str]:
    found = []
    for info in pkgutil.walk_packages(sdk.__path__, "aistore.sdk."):
        name = info.name.removeprefix("aistore.sdk.")
        if not any(name == part or name.startswith(f"{part}.") for part in INTERNAL):
            found.append(name)
    return found


# Helpers of the official transport, and of hashing.
HELPERS = {
    "get_object_url_components",
    "get_provider_from_request",
    "is_read_timeout",
    "parse_request_url",
    "worker_state",
}


def own_names(module):
    """Public names that a module defines, not those that it imports."""
    has_constants = module.__name__.rpartition(".")[2] in (
        "provider",
        "xact_const",
        "stream",
        "retry_config",
    )
    source = inspect.getsource(module) if has_constants else ""
    for name, value in vars(module).items():
        if (
            name.startswith("_")
            or inspect.ismodule(value)
            or name in HELPERS
            or not name.isidentifier()
            or len(name) == 1
        ):
            continue
        home = getattr(value, "__module__", None)
        is_constant = name.isupper() and f"\n{name} = " in source
        if home == module.__name__ or (home is None and is_constant):
            yield name, value


@pytest.mark.parametrize("name", modules())
def test_names(name):
    try:
        theirs = importlib.import_module(f"aistore.sdk.{name}")
    except ImportError as error:
        pytest.skip(f"the official module needs more: {error}")
    ours = importlib.import_module(f"holdall.aistore.{name}")
    missing = [
        n
        for n, value in own_names(theirs)
        if not hasattr(ours, n)
        and not (n in OTHER_INSIDE or getattr(value, "__module__", "") == "typing")
    ]
    assert not missing


def parameters(function):
    found = inspect.signature(function).parameters
    return {k: p for k, p in found.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}


def plain(value):
    """Defaults that are the same in another form."""
    if isinstance(value, enum.Enum):
        return value.value
    return value


# Their constructors take what their transport is made of; requests are messages of one only.
UNLIKE = {"types.BucketEntry", "request_client.RequestClient"}
# Hooks of pydantic, which nobody calls.
VALIDATORS = {"convert_to_str", "decode_opaque", "set_code", "validate_content_fields"}


def classes() -> list[str]:
    """Every public class of the SDK that has methods of its own."""
    found = []
    for module in modules():
        try:
            theirs = importlib.import_module(f"aistore.sdk.{module}")
        except ImportError:
            # `test_names` says so.
            continue
        for name, value in own_names(theirs):
            if inspect.isclass(value) and not issubclass(value, enum.Enum | Exception):
                found.append(f"{module}.{name}")
    return [name for name in found if name.rpartition(".")[2] not in OTHER_INSIDE]


def of(package, name):
    module, _, cls = name.rpartition(".")
    return getattr(importlib.import_module(f"{package}.{module}"), cls)


@pytest.mark.parametrize("name", classes())
def test_methods(name):
    theirs, ours = of("aistore.sdk", name), of("holdall.aistore", name)
    for member, value in inspect.getmembers_static(theirs):
        if member.startswith(("_", "model_")) or member in VALIDATORS:
            continue
        if isinstance(value, property):
            assert hasattr(ours, member), member
            continue
        function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        if not inspect.isfunction(function) or function.__module__.startswith("pydantic"):
            continue
        assert hasattr(ours, member), member
        if name in UNLIKE:
            continue
        mine = parameters(getattr(ours, member))
        mine.pop("self", None)
        wanted = parameters(function)
        wanted.pop("self", None)
        wanted.pop("cls", None)
        positions = [k for k, p in mine.items() if p.kind is not p.KEYWORD_ONLY]
        by_place = [k for k, p in wanted.items() if p.kind is not p.KEYWORD_ONLY]
        assert positions[: len(by_place)] == by_place, member
        for key, parameter in wanted.items():
            if parameter.default is not parameter.empty:
                assert plain(mine[key].default) == plain(parameter.default), f"{member}({key})"


def test_constants():
    theirs = importlib.import_module("aistore.sdk.const")
    ours = importlib.import_module("holdall.aistore.const")
    for name, value in vars(theirs).items():
        if name.isupper():
            assert getattr(ours, name) == value, name


@pytest.mark.parametrize("name", ["enums", "list_object_flag", "provider", "xact_const"])
def test_enumerations(name):
    theirs = importlib.import_module(f"aistore.sdk.{name}")
    ours = importlib.import_module(f"holdall.aistore.{name}")
    for member, value in own_names(theirs):
        if isinstance(value, enum.EnumMeta):
            for item in value:
                assert getattr(ours, member)[item.name].value == item.value
        elif isinstance(value, str | frozenset):
            assert getattr(ours, member) == value


def test_earlier_names_warn(bucket):
    """The names of 1.10 and 1.25 work, and say what took their place."""
    from holdall.aistore.list_object_flag import ListObjectFlag

    made = bucket.object("a")
    old = [
        (lambda: made.put_content(b"abc"), "get_writer"),
        (lambda: made.get().read_all(), "get_reader"),
        (lambda: made.set_custom_props({"k": "v"}), "get_writer"),
        (lambda: made.append_content(b"d"), "get_writer"),
        (lambda: b"".join(made.get_reader().iter_from_position(1)), "byte_range"),
        (lambda: made.head()["ais-version"], "obj_version"),
        (lambda: made.head_v2("checksum").checksum_type, "Object.head"),
        (lambda: ListObjectFlag.ALL, "MISSING"),
    ]
    results = []
    for call, successor in old:
        with pytest.warns(DeprecationWarning, match=successor):
            results.append(call())
    assert results[1] == b"abc"
    assert results[4] == b"bc"
    assert results[5] == "1"
    assert results[7] is ListObjectFlag.MISSING


def test_earlier_arguments(endpoint):
    from holdall.aistore import Client
    from holdall.aistore.retry_config import HTTPRetry

    with pytest.warns(DeprecationWarning, match="retry_config"):
        client = Client(endpoint, retry=HTTPRetry(total=1))
    assert client.retry_config.http_retry.total == 1
    with pytest.warns(DeprecationWarning, match="get_object_from_url"):
        assert client.fetch_object_by_url("ais://b/d/o").name == "d/o"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert client.get_object_from_url("ais://b/o").bucket_name == "b"


def test_twins():
    """Whatever asks the server can be awaited."""
    for name in (
        "cluster.Cluster",
        "bucket.Bucket",
        "job.Job",
        "obj.object.Object",
        "multiobj.object_group.ObjectGroup",
    ):
        cls = of("holdall.aistore", name)
        twins = [n for n, f in vars(cls).items() if hasattr(f, "steps")]
        assert twins
        for twin in twins:
            assert inspect.iscoroutinefunction(getattr(cls, f"{twin}_async"))
