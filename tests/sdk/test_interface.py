"""Every public name of the official SDK is in ``holdall.aistore``, with the same parameters in the same places and the same
defaults: in each generation, so that programs written for any of them run.

The extension has to be built (``maturin develop -m python/Cargo.toml``).
"""

import enum
import importlib
import inspect
import pkgutil
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import aistore.sdk as sdk
import pytest
from conftest import PROJECT, SDK

sys.path.append(str(PROJECT / "python"))
pytest.importorskip(
    "holdall._holdall",
    reason="the extension is not built, so the interface was not compared",
    exc_type=ImportError,
)

# What belongs to the official SDK's way of decoding streams, and to nobody's program.
INTERNAL = {"batch.extractor", "batch.multipart"}
# Classes that do the same in another way: fields and methods of theirs are not for programs.
OTHER_INSIDE = {"RetryConfig", "ETLServer", "SessionManager", "RingBuffer", "WorkerState"}
# Helpers of the official transport, and of hashing.
HELPERS = {"worker_state"}
# Their constructors take what their transport is made of; requests are messages of one only.
UNLIKE = {"types.BucketEntry", "request_client.RequestClient", "request_executor.RequestExecutor"}
# Hooks of pydantic, which nobody calls.
HOOKS = {
    "convert_to_str",
    "decode_opaque",
    "set_code",
    "set_spec",
    "validate_content_fields",
}

# Parameters whose values have a new name, in the same place; the old one is understood, too.
RENAMED = {"etl_name": "etl", "start_position": "offset", "timeout": "init_timeout"}

# Where the newest generation has parameters in other places than an earlier one; their names find them.
CHANGED: dict[tuple[int, ...], dict[str, list[str]]] = {
    (1, 10, 0): {
        "bucket.Bucket": [
            "copy: (to_bck, prefix_filter, prepend, dry_run, force, latest, sync) became"
            " (to_bck, prefix_filter, prepend, ext, dry_run, force, latest, sync, num_workers)",
        ],
        "etl.etl.Etl": [
            "init_spec: (template, communication_type, timeout, arg_type) became"
            " (template, communication_type, init_timeout, obj_timeout)",
        ],
        "multiobj.object_group.ObjectGroup": [
            "transform: (to_bck, etl_name, timeout, prepend, continue_on_error, dry_run, force, latest, sync,"
            " num_workers) became (to_bck, etl_name, timeout, prepend, ext, continue_on_error, dry_run, force, latest,"
            " sync, num_workers, etl_pipeline)",
        ],
    },
    # How far an iteration got is told to its caller today.
    (1, 25, 0): {
        f"obj.content_iterator.{name}": ["expected_end_position is missing"]
        for name in (
            "base.BaseContentIterProvider",
            "parallel.ParallelContentIterProvider",
            "sequential.ContentIterProvider",
        )
    },
}


def ours(module: str) -> ModuleType:
    return importlib.import_module(f"holdall.aistore.{module}")


def modules() -> dict[str, ModuleType]:
    """Those of the SDK that can be imported here, by their names below ``aistore.sdk``."""
    found = {}
    for info in pkgutil.walk_packages(sdk.__path__, "aistore.sdk."):
        name = info.name.removeprefix("aistore.sdk.")
        if not any(name == part or name.startswith(f"{part}.") for part in INTERNAL):
            try:
                found[name] = importlib.import_module(info.name)
            except ImportError as error:
                warnings.warn(f"{info.name} needs more: {error}", stacklevel=1)
    return found


THEIRS = modules()


def own_names(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Public names that a module defines, not those that it imports."""
    constants = module.__name__.rpartition(".")[2] in {"provider", "xact_const", "retry_config"}
    source = inspect.getsource(module) if constants else ""
    for name, value in vars(module).items():
        if name.startswith("_") or inspect.ismodule(value) or name in HELPERS or len(name) == 1:
            continue
        home = getattr(value, "__module__", None)
        is_constant = name.isupper() and f"\n{name} = " in source
        if name.isidentifier() and (home == module.__name__ or (home is None and is_constant)):
            yield name, value


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_names(name: str) -> None:
    found = ours(name)
    missing = [n for n, _ in own_names(THEIRS[name]) if not hasattr(found, n)]
    assert not [n for n in missing if n not in OTHER_INSIDE]


def parameters(function: Any) -> dict[str, inspect.Parameter]:
    found = inspect.signature(function).parameters
    starred = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {k: p for k, p in found.items() if p.kind not in starred and k not in ("self", "cls")}


def plain(value: Any) -> Any:
    """Defaults that are the same in another form."""
    return value.value if isinstance(value, enum.Enum) else value


CLASSES = [
    f"{module}.{name}"
    for module, theirs in THEIRS.items()
    for name, value in own_names(theirs)
    if inspect.isclass(value)
    and not issubclass(value, enum.Enum | Exception)
    and name not in OTHER_INSIDE
]


def members(cls: type) -> Iterator[tuple[str, Any]]:
    """Public functions and properties of a class."""
    for member, value in inspect.getmembers_static(cls):
        if member.startswith(("_", "model_")) or member in HOOKS:
            continue
        function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        if isinstance(value, property) or (
            inspect.isfunction(function) and not function.__module__.startswith("pydantic")
        ):
            yield member, function


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_methods(name: str) -> None:
    module, _, cls = name.rpartition(".")
    mine = getattr(ours(module), cls)
    differences = []
    for member, function in members(getattr(THEIRS[module], cls)):
        if not hasattr(mine, member):
            differences.append(f"{member} is missing")
        elif name not in UNLIKE and not isinstance(function, property):
            differences += [f"{member}: {what}" for what in unlike(function, getattr(mine, member))]
    assert differences == CHANGED.get(SDK, {}).get(name, [])


def unlike(theirs: Any, mine: Any) -> Iterator[str]:
    """What a call that is written for the one would not find in the other."""
    wanted, found = parameters(theirs), parameters(mine)
    by_place = [k for k, p in wanted.items() if p.kind is not p.KEYWORD_ONLY]
    places = [k for k, p in found.items() if p.kind is not p.KEYWORD_ONLY]
    pairs = zip(by_place, places, strict=False)
    if any(place not in (name, RENAMED.get(name)) for name, place in pairs) or (
        len(places) < len(by_place) and not takes_any(mine, inspect.Parameter.VAR_POSITIONAL)
    ):
        yield f"({', '.join(by_place)}) became ({', '.join(places)})"
    for name, parameter in wanted.items():
        if name not in found:
            if not takes_any(mine, inspect.Parameter.VAR_KEYWORD):
                yield f"{name} is not understood"
            continue
        default, ours = plain(parameter.default), plain(found[name].default)
        # None may stand for what an earlier generation wrote there.
        if default not in (parameter.empty, ours) and (ours is not None or SDK >= (2,)):
            yield f"{name}={default!r} became {ours!r}"


def takes_any(function: Any, kind: Any) -> bool:
    return any(p.kind is kind for p in inspect.signature(function).parameters.values())


def alike(theirs: Any, mine: Any) -> bool:
    """Whether two values are equal; names of headers have no case, and earlier generations wrote them without."""
    if isinstance(theirs, str) and isinstance(mine, str) and theirs.lower().startswith("ais-"):
        return theirs.lower() == mine.lower()
    return bool(theirs == mine)


def test_constants() -> None:
    found = ours("const")
    for name, value in vars(THEIRS["const"]).items():
        if name.isupper():
            assert alike(value, getattr(found, name)), name


@pytest.mark.parametrize("name", ["enums", "list_object_flag", "provider", "xact_const"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_enumerations(name: str) -> None:
    if name not in THEIRS:
        pytest.skip(f"this generation of the SDK has no {name}")
    for member, value in own_names(THEIRS[name]):
        found = getattr(ours(name), member)
        if isinstance(value, enum.EnumMeta):
            for item in value:
                mine = getattr(found, item.name)
                # Bits of listings have moved since 1.10, in clusters too.
                assert mine.value == item.value or (name, SDK) == ("list_object_flag", (1, 10, 0))
        elif isinstance(value, str | frozenset):
            assert found == value
