"""Typed messages: classes that read JSON, write it, and compare by value.

The names of the methods are pydantic's, whose models AIStore's own client has for its messages, so that programs written
for those work; pydantic itself is not needed. A model may be a field of a pydantic model.
"""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from enum import Enum
from typing import (
    Any,
    ClassVar,
    Generic,
    Literal,
    Self,
    TypeVar,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
)

T = TypeVar("T")
_MISSING: Any = object()
# Models have a method `dict`, which hides the type within their bodies.
_Object = dict[str, Any]


class ValidationError(ValueError):
    """A value is not what a field of a message must be."""


class _Field:
    __slots__ = ("alias", "convert", "default", "factory", "name")

    def __init__(self, default: Any, factory: Callable[[], Any] | None, alias: str | None) -> None:
        self.default = default
        self.factory = factory
        self.alias = alias
        self.name = ""
        self.convert: Callable[[Any], Any] = lambda value: value

    @property
    def required(self) -> bool:
        return self.default is _MISSING and self.factory is None

    def initial(self) -> Any:
        if self.factory is not None:
            return self.factory()
        # Lists and dictionaries belong to one instance each.
        return (
            deepcopy(self.default) if isinstance(self.default, list | dict | set) else self.default
        )


def field(
    default: Any = _MISSING,
    *,
    alias: str | None = None,
    default_factory: Callable[[], Any] | None = None,
) -> Any:
    """Describe a field of a `Model`: its default, and its name in JSON."""
    return _Field(default, default_factory, alias)


_Specs = dict[str, _Field]


def validate(kind: Any, value: Any) -> Any:
    """``value``, as it came from JSON, as a ``kind``: a model, or a list, dictionary, union or plain type of such."""
    return _converter(kind)(value)


def _wrong(kind: str, value: Any) -> ValidationError:
    return ValidationError(f"{kind} expected, got {type(value).__name__}: {value!r:.100}")


def _as_int(value: Any) -> int:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    # Counters are decimal texts on the wire.
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            raise _wrong("an integer", value) from None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise _wrong("an integer", value)


def _as_float(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    raise _wrong("a number", value)


_BOOLS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _as_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.lower() in _BOOLS:
        return _BOOLS[value.lower()]
    raise _wrong("a boolean", value)


def _as_str(value: Any) -> str:
    if isinstance(value, Enum) and isinstance(value.value, str):
        return value.value
    if isinstance(value, str):
        return value
    raise _wrong("a text", value)


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    raise _wrong("bytes", value)


_PLAIN: dict[Any, Callable[[Any], Any]] = {
    int: _as_int,
    float: _as_float,
    bool: _as_bool,
    str: _as_str,
    bytes: _as_bytes,
}


def _same(value: Any) -> Any:
    return value


def _none(value: Any) -> None:
    if value is not None:
        raise _wrong("null", value)


def _converter(kind: Any) -> Callable[[Any], Any]:
    if kind in (Any, object):
        return _same
    if kind is None or kind is type(None):
        return _none
    if isinstance(kind, TypeVar):
        return _same
    if plain := _PLAIN.get(kind):
        return plain
    origin = get_origin(kind)
    if origin is None:
        return _class_converter(kind)
    arguments = get_args(kind)
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if origin is Literal:
        return _literal(arguments)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        key, item = (_converter(a) for a in arguments or (Any, Any))
        return _mapping(key, item)
    if origin in (list, set, tuple) or (isinstance(origin, type) and hasattr(origin, "__iter__")):
        return _sequence(
            origin if origin in (set, tuple) else list, _converter((arguments or (Any,))[0])
        )
    return _same


def _class_converter(kind: Any) -> Callable[[Any], Any]:
    if kind is list:
        return _sequence(list, _same)
    if kind is dict:
        return _mapping(_same, _same)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum(kind)
    if hasattr(kind, "model_validate"):
        return typing.cast("Callable[[Any], Any]", kind.model_validate)
    if isinstance(kind, type):
        return _instance(kind)
    return _same


def _instance(kind: type) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        # Data classes, such as those of namespaces.
        if isinstance(value, Mapping) and hasattr(kind, "__dataclass_fields__"):
            known = kind.__dataclass_fields__
            return kind(**{name: item for name, item in value.items() if name in known})
        raise _wrong(f"a {kind.__name__}", value)

    return convert


def _enum(kind: type[Enum]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        try:
            return kind(value)
        except ValueError:
            raise _wrong(f"a {kind.__name__}", value) from None

    return convert


def _literal(choices: tuple[Any, ...]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if value in choices:
            return value
        raise ValidationError(
            f"one of {', '.join(map(repr, choices))} expected, got {value!r:.100}"
        )

    return convert


def _union(kinds: tuple[Any, ...]) -> Callable[[Any], Any]:
    optional = type(None) in kinds
    inner = [(kind, _converter(kind)) for kind in kinds if kind is not type(None)]

    def convert(value: Any) -> Any:
        if value is None and optional:
            return None
        # What has the type already is not turned into an earlier one.
        for kind, _ in inner:
            if isinstance(kind, type) and type(value) is kind:
                return value
        failure: ValidationError | None = None
        for _, attempt in inner:
            try:
                return attempt(value)
            except ValidationError as error:
                failure = failure or error
        raise failure or _wrong("another type", value)

    return convert


def _mapping(key: Callable[[Any], Any], item: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _wrong("a mapping", value)
        return {key(k): item(v) for k, v in value.items()}

    return convert


def _sequence(kind: type, item: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def convert(value: Any) -> Any:
        if isinstance(value, str | bytes | Mapping) or not hasattr(value, "__iter__"):
            raise _wrong("a list", value)
        return kind(item(v) for v in value)

    return convert


def _plain(value: Any, options: dict[str, Any]) -> Any:
    if isinstance(value, Model):
        return value.model_dump(**options)
    if isinstance(value, Mapping):
        return {k: _plain(v, options) for k, v in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(v, options) for v in value]
    if hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        return {name: _plain(getattr(value, name), options) for name in value.__dataclass_fields__}
    return value


def _json_default(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Model):
        return value.model_dump(by_alias=True)
    raise TypeError(f"{type(value).__name__} has no form in JSON")


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
class Model:
    """A message. Its annotations are its fields; `field` gives one an alias in JSON, or a default that is made anew.

    The constructor takes fields by their names or aliases and ignores what it does not know, as newer servers send it.
    `model_config` knows ``frozen``. ``model_post_init`` is called when all fields are there, and may refuse them with a
    ``ValueError``.
    """

    model_config: ClassVar[_Object] = {}
    _specs: ClassVar[_Specs] = {}
    _resolved: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        specs = {}
        for base in reversed(cls.__mro__[1:]):
            specs.update(base.__dict__.get("_specs", {}))
        for name, hint in inspect.get_annotations(cls).items():
            if name.startswith("_") or name == "model_config" or "ClassVar" in str(hint):
                continue
            value = cls.__dict__.get(name, _MISSING)
            spec = value if isinstance(value, _Field) else _Field(value, None, None)
            spec.name = name
            specs[name] = spec
            if value is not _MISSING:
                delattr(cls, name)
        cls._specs = specs
        cls._resolved = False

    @classmethod
    def _fields(cls) -> _Specs:
        # Hints are looked at when the first instance is made: by then the classes they name are there.
        if not cls.__dict__.get("_resolved", False):
            hints = typing.get_type_hints(cls)
            specs = {}
            for name, spec in cls._specs.items():
                own = _Field(spec.default, spec.factory, spec.alias)
                own.name = name
                own.convert = _converter(hints[name])
                specs[name] = own
            cls._specs = specs
            cls._resolved = True
        return cls._specs

    def __init__(self, **data: Any) -> None:
        values = self.__dict__
        given = set()
        for name, spec in self._fields().items():
            if spec.alias is not None and spec.alias in data:
                value = data[spec.alias]
            elif name in data:
                value = data[name]
            elif spec.required:
                raise ValidationError(
                    f"{type(self).__name__}: the field {spec.alias or name!r} is missing"
                )
            else:
                values[name] = spec.initial()
                continue
            try:
                values[name] = spec.convert(value)
            except ValidationError as error:
                raise ValidationError(f"{type(self).__name__}.{name}: {error}") from None
            given.add(name)
        values["__given__"] = given
        self.model_post_init(None)

    def model_post_init(self, context: Any, /) -> None:
        """Called when all fields are there."""

    def __setattr__(self, name: str, value: Any) -> None:
        if self.model_config.get("frozen"):
            raise ValidationError(f"{type(self).__name__} is frozen: {name!r} cannot be set")
        if name not in self._specs:
            raise ValueError(f"{type(self).__name__} has no field {name!r}")
        self.__dict__[name] = value
        self.__dict__["__given__"].add(name)

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """An instance of a mapping, or the instance itself."""
        if isinstance(obj, cls):
            return obj
        if isinstance(obj, Mapping):
            return cls(**{str(k): v for k, v in obj.items()})
        raise _wrong(f"a mapping for {cls.__name__}", obj)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes | bytearray) -> Self:
        """An instance of JSON."""
        try:
            data = json.loads(json_data)
        except ValueError as error:
            raise ValidationError(f"{cls.__name__}: this is not JSON: {error}") from None
        return cls.model_validate(data)

    @classmethod
    def parse_obj(cls, obj: Any) -> Self:
        """The same as `model_validate`."""
        return cls.model_validate(obj)

    @classmethod
    def parse_raw(cls, data: str | bytes) -> Self:
        """The same as `model_validate_json`."""
        return cls.model_validate_json(data)

    def model_dump(
        self,
        *,
        mode: str = "python",
        by_alias: bool = False,
        exclude_none: bool = False,
        exclude_defaults: bool = False,
        exclude_unset: bool = False,
        include: Any = None,
        exclude: Any = None,
    ) -> _Object:
        """The fields as a dictionary, messages within as well."""
        options = {
            "mode": mode,
            "by_alias": by_alias,
            "exclude_none": exclude_none,
            "exclude_defaults": exclude_defaults,
            "exclude_unset": exclude_unset,
        }
        out = {}
        for name, spec in self._fields().items():
            value = self.__dict__[name]
            if (include is not None and name not in include) or (exclude and name in exclude):
                continue
            if exclude_none and value is None:
                continue
            if exclude_unset and name not in self.__dict__["__given__"]:
                continue
            if exclude_defaults and not spec.required and value == spec.initial():
                continue
            key = spec.alias if by_alias and spec.alias is not None else name
            out[key] = _plain(value, options)
        if mode == "json":
            return typing.cast("_Object", json.loads(json.dumps(out, default=_json_default)))
        return out

    def model_dump_json(self, *, indent: int | None = None, **options: Any) -> str:
        """The fields as JSON."""
        separators = None if indent is not None else (",", ":")
        return json.dumps(
            self.model_dump(**options), default=_json_default, indent=indent, separators=separators
        )

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy; with ``deep``, of what is in it too."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(deepcopy(self.__dict__) if deep else self.__dict__)
        copy.__dict__["__given__"] = set(self.__dict__["__given__"])
        copy.__dict__.update(update or {})
        copy.__dict__["__given__"].update(update or {})
        return copy

    def dict(self, **options: Any) -> _Object:
        """The same as `model_dump`."""
        return self.model_dump(**options)

    def json(self, **options: Any) -> str:
        """The same as `model_dump_json`."""
        return self.model_dump_json(**options)

    def copy(self, **options: Any) -> Self:
        """The same as `model_copy`."""
        return self.model_copy(**options)

    def _values(self) -> tuple[Any, ...]:
        return tuple(self.__dict__[name] for name in self._specs)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == typing.cast("Model", other)._values()

    def __hash__(self) -> int:
        if not self.model_config.get("frozen"):
            raise TypeError(f"{type(self).__name__} can change and has no hash")
        return hash((type(self), self._values()))

    def __iter__(self) -> Iterator[Any]:
        return iter([(name, self.__dict__[name]) for name in self._specs])

    def __repr_args__(self) -> list[tuple[str, Any]]:
        return [(name, self.__dict__[name]) for name in self._specs]

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self.__repr_args__())
        return f"{type(self).__name__}({inner})"

    def __str__(self) -> str:
        return " ".join(f"{name}={value!r}" for name, value in self.__repr_args__())

    def __getstate__(self) -> Any:
        return self.__dict__.copy()

    def __setstate__(self, state: Any) -> None:
        self.__dict__.update(state)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            cls.model_validate,
            serialization=core_schema.plain_serializer_function_ser_schema(  # spelling:ignore
                lambda message: message.model_dump(by_alias=True)
            ),
        )


class RootModel(Model, Generic[T]):
    """A message that is a list or a dictionary itself: ``class Names(RootModel[list[str]])``; it is at ``root``."""

    root: Any
    _root_kind: ClassVar[Any] = Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in cls.__dict__.get("__orig_bases__", ()):
            if get_origin(base) is RootModel:
                cls._root_kind = get_args(base)[0]

    def __init__(self, root: Any = _MISSING, /, **data: Any) -> None:
        if root is _MISSING:
            root = data["root"] if data.keys() == {"root"} else data
        super().__init__(root=self._convert(root))

    @classmethod
    def _convert(cls, root: Any) -> Any:
        kind = cls._root_kind
        if isinstance(kind, str):
            import sys

            kind = eval(kind, vars(sys.modules[cls.__module__]))
        try:
            return validate(kind, root)
        except ValidationError as error:
            raise ValidationError(f"{cls.__name__}: {error}") from None

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """An instance of what is at its root, or the instance itself."""
        return obj if isinstance(obj, cls) else cls(obj)

    def model_dump(self, **options: Any) -> Any:
        """What is at the root, with the messages in it as dictionaries."""
        return _plain(self.root, options)
