"""Messages of get-batch."""

from __future__ import annotations

import base64
import binascii
import json
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, ClassVar, Dict, List, Optional, Self  # noqa: UP035

from .._model import Model, field

# `Dict`, because messages have a method `dict`. Batches have thousands of entries, so the two messages of an entry are
# made without the general constructor where their values are known to be right.
_new = object.__new__
_set = object.__setattr__

# What few entries have.
_SELDOM = ("uname", "opaque", "archpath", "start", "length")

# Of what cannot change, one serves all.
_NONE_GIVEN = frozenset[str]()


class MossIn(Model):
    """An entry that is wanted. Cannot change once it is made."""

    obj_name: str = field(alias="objname")
    bck: Optional[str] = field(None, alias="bucket")  # noqa: UP045
    provider: Optional[str] = field(None, alias="provider")  # noqa: UP045
    uname: Optional[str] = field(None, alias="uname")  # noqa: UP045
    opaque: Optional[str] = field(None, alias="opaque")  # noqa: UP045
    archpath: Optional[str] = field(None, alias="archpath")  # noqa: UP045
    start: Optional[int] = field(None, alias="start")  # noqa: UP045
    length: Optional[int] = field(None, alias="length")  # noqa: UP045

    model_config: ClassVar[Dict[str, Any]] = {"frozen": True}  # noqa: UP006

    @classmethod
    def _made(cls, obj_name: str, bck: str, provider: str, extra: Dict[str, Any]) -> Self:  # noqa: UP006
        entry = _new(cls)
        values = {
            "obj_name": obj_name,
            "bck": bck,
            "provider": provider,
            "uname": None,
            "opaque": None,
            "archpath": None,
            "start": None,
            "length": None,
            "__given__": _NONE_GIVEN,
        }
        if extra:
            values.update(extra)
        _set(entry, "__dict__", values)
        return entry

    def _text(self) -> str:
        """`dict` as JSON."""
        values = self.__dict__
        name, bck, provider = values["obj_name"], values["bck"], values["provider"]
        for seldom in _SELDOM:
            if values[seldom] is not None:
                return json.dumps(self.dict())
        if bck is None or provider is None:
            return json.dumps(self.dict())
        return (
            f'{{"objname":{_quoted(name)},"bucket":{_quoted(bck)},"provider":{_quoted(provider)}}}'
        )

    def dict(self, *args: Any, **options: Any) -> Dict[str, Any]:  # noqa: UP006
        """As the server wants it: without what is not set."""
        values = self.__dict__
        out = {"objname": values["obj_name"]}
        if values["bck"] is not None:
            out["bucket"] = values["bck"]
        for name in ("provider", "uname", "opaque", "archpath", "start", "length"):
            if values[name] is not None:
                out[name] = values[name]
        return out


def decoded(opaque: Any) -> bytes | None:
    """What the user sent along with an entry, from base64; None where it is none."""
    if isinstance(opaque, bytes):
        return opaque
    if not isinstance(opaque, str) or not opaque:
        return None
    try:
        # The server answers with what was sent; both alphabets of base64 occur.
        return base64.b64decode(opaque.replace("-", "+").replace("_", "/"))
    except (binascii.Error, ValueError):
        return None


class MossOut(Model):
    """What came for an entry: its names, size and, where it failed, why."""

    obj_name: str = field(alias="objname")
    archpath: Optional[str] = field(None, alias="archpath")  # noqa: UP045
    bucket: str = field(alias="bucket")
    provider: str = field(alias="provider")
    opaque: Optional[bytes] = field(None, alias="opaque")  # noqa: UP045
    err_msg: Optional[str] = field(None, alias="err_msg")  # noqa: UP045
    size: int = field(0, alias="size")

    def __init__(self, **data: Any) -> None:
        if "opaque" in data:
            data["opaque"] = decoded(data["opaque"])
        super().__init__(**data)

    @classmethod
    def _made(cls, entry: MossIn, size: int, err_msg: str | None) -> Self:
        asked, out = entry.__dict__, _new(cls)
        opaque = asked["opaque"]
        values = {
            "obj_name": asked["obj_name"],
            "archpath": asked["archpath"] or "",
            "bucket": asked["bck"] or "",
            "provider": asked["provider"] or "",
            "opaque": None if opaque is None else decoded(opaque),
            "err_msg": err_msg,
            "size": size,
            "__given__": set(),
        }
        _set(out, "__dict__", values)
        return out

    def dict(self, *args: Any, **options: Any) -> Dict[str, Any]:  # noqa: UP006
        """By the names of the wire, without what is not set."""
        return self.model_dump(by_alias=True, exclude_defaults=True)


class MossReq(Model):
    """A whole request."""

    moss_in: List[MossIn] = field(alias="in", default_factory=list)  # noqa: UP006
    output_format: Optional[str] = field(None, alias="mime")  # noqa: UP045
    cont_on_err: Optional[bool] = field(None, alias="coer")  # noqa: UP045
    only_obj_name: Optional[bool] = field(None, alias="onob")  # noqa: UP045
    streaming_get: Optional[bool] = field(None, alias="strm")  # noqa: UP045
    colocation: Optional[int] = field(None, alias="coloc")  # noqa: UP045

    def dict(self, *args: Any, **options: Any) -> Dict[str, Any]:  # noqa: UP006
        """As the server wants it: without what is not set."""
        return {"in": [entry.dict() for entry in self.moss_in], **self._options()}

    def _options(self) -> Dict[str, Any]:  # noqa: UP006
        return self.model_dump(by_alias=True, exclude={"moss_in"}, exclude_none=True)

    def _text(self) -> str:
        """`dict` as JSON."""
        entries = ",".join([entry._text() for entry in self.moss_in])
        options = self._options()
        rest = f",{json.dumps(options)[1:]}" if options else "}"
        return f'{{"in":[{entries}]{rest}'

    def add(self, moss_in: MossIn) -> MossReq:
        """Add an entry."""
        self.moss_in.append(moss_in)
        return self

    def extend(self, moss_ins: List[MossIn]) -> MossReq:  # noqa: UP006
        """Add entries."""
        self.moss_in.extend(moss_ins)
        return self


class MossResp(Model):
    """The description that precedes the archive in a reply of parts."""

    out: List[MossOut] = field(alias="out", default_factory=list)  # noqa: UP006
    uuid: str = field("", alias="uuid")
