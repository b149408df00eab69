"""What all formats have in common."""

from __future__ import annotations

import logging
from collections.abc import Generator
from io import BytesIO
from typing import Any, ClassVar

from ...._holdall import _ArchiveMembers
from ..._response import RawStream
from ...const import GB_MISSING_FILES_DIR
from ..types import MossOut, MossReq, MossResp

logger = logging.getLogger(__name__)

BUFFER_BYTES = 64 << 10
"""What is asked of a file object at once, unless somebody says otherwise."""

_FAILED = "Batch entry failed on the server"
_MISSING = GB_MISSING_FILES_DIR + "/"


class ArchiveStreamExtractor:
    """Pairs the members of an archive with the entries of the request that it answers."""

    _supported_fmts: ClassVar[tuple[str, ...]] = ()
    _kind: ClassVar[str] = "archive"

    def get_supported_formats(self) -> tuple[str, ...]:
        """The extensions of the formats that it knows."""
        return self._supported_fmts

    def extract(
        self,
        response: Any,
        data_stream: Any,
        moss_req: MossReq,
        moss_resp: MossResp | None = None,
    ) -> Generator[tuple[MossOut, bytes], None, None]:
        """Pairs of what an entry is and its content; the reply is closed at the end.

        Args:
            response: The reply, which is closed.
            data_stream: The archive: a file object, or bytes.
            moss_req: The request.
            moss_resp: The server's description; without one, the request says what the entries are.

        Raises:
            RuntimeError: When the archive is damaged, cut short, or has other members than were asked for.
        """
        return self._pairs(response, data_stream, moss_req, moss_resp)

    def _pairs(
        self,
        response: Any,
        stream: Any,
        request: MossReq,
        described: MossResp | None,
        at_once: int = BUFFER_BYTES,
    ) -> Generator[tuple[MossOut, bytes], None, None]:
        expected = _Inferred(request) if described is None else _Described(described, request)
        of, most, is_strict = expected.of, len(expected), request.cont_on_err is False
        lengths = {i: e.length for i, e in enumerate(request.moss_in) if e.length and e.length > 0}
        count = 0
        try:
            for name, content in self._members(stream, request, at_once):
                if count >= most:
                    raise RuntimeError(
                        f"missing batch metadata for archive member {count} (metadata length={most})"
                    )
                out = of(count, name, len(content))
                if is_strict and out.err_msg:
                    # Clusters go on in some cases all the same.
                    raise RuntimeError(f"batch entry {out.obj_name}: {out.err_msg}")
                if lengths and not out.err_msg and lengths.get(count, len(content)) != len(content):
                    # Clusters that get an object from another node send all of it.
                    raise RuntimeError(
                        f"batch entry {out.obj_name}: {lengths[count]} bytes were asked for, the server sent {len(content)}"
                    )
                count += 1
                yield out, content
            if count < most:
                raise RuntimeError(
                    f"Failed to read {self._kind} archive stream: {most - count} of {most} "
                    f"entries did not come, from {expected.name(count)} on"
                )
        finally:
            response.close()

    def _members(
        self, stream: Any, request: MossReq, at_once: int
    ) -> Generator[tuple[str, bytes], None, None]:
        if isinstance(stream, RawStream) and at_once == BUFFER_BYTES:
            # As it comes: in pieces that nobody has to put together.
            stream = stream._reply
        elif not hasattr(stream, "read"):
            stream = BytesIO(stream)
        kind = request.output_format or self._supported_fmts[0]
        try:
            yield from _ArchiveMembers(stream, kind, at_once)
        except ValueError as error:
            logger.error("Failed to read %s archive: %s", self._kind, error)
            raise RuntimeError(f"Failed to read {self._kind} archive stream") from error


class _Described:
    """Entries as the server describes them."""

    def __init__(self, response: MossResp, request: MossReq) -> None:
        self._outs = response.out
        for out, entry in zip(self._outs, request.moss_in, strict=False):
            # Of members that another target read, clusters make one name with the archive's.
            if entry.archpath:
                out.obj_name, out.archpath = entry.obj_name, entry.archpath

    def __len__(self) -> int:
        return len(self._outs)

    def name(self, index: int) -> str:
        """The object of the entry at this place."""
        return self._outs[index].obj_name

    def of(self, index: int, name: str, size: int) -> MossOut:
        """What the member at this place is."""
        return self._outs[index]


class _Inferred:
    """Entries as the request has them, held against the names of the members."""

    def __init__(self, request: MossReq) -> None:
        self._entries = request.moss_in
        only_names = bool(request.only_obj_name)
        self._objects = [
            e.obj_name if only_names else f"{e.bck or ''}/{e.obj_name}" for e in self._entries
        ]
        self._all: set[str] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def name(self, index: int) -> str:
        """The object of the entry at this place."""
        return self._entries[index].obj_name

    def _name(self, index: int) -> str:
        archpath = self._entries[index].archpath
        name = self._objects[index]
        return f"{name}/{archpath.lstrip('/')}" if archpath else name

    def of(self, index: int, name: str, size: int) -> MossOut:
        """What the member at this place is."""
        entry = self._entries[index]
        expected = self._name(index) if entry.archpath else self._objects[index]
        if name == expected:
            return MossOut._made(entry, size, None)
        if size == 0 and name.startswith(_MISSING):
            # A server names a member that it could not open by the member's path or without it.
            whole = self._objects[index]
            if name[len(_MISSING) :] in (expected, whole, f"{whole}/{entry.archpath}"):
                return MossOut._made(entry, size, _FAILED)
        # Formats shorten names, so only one that belongs to another place is taken for a confusion.
        if self._all is None:
            self._all = {self._name(i) for i in range(len(self))}
        if name in self._all:
            raise RuntimeError(f"the member {name} came where {expected} was to come")
        return MossOut._made(entry, size, None)
