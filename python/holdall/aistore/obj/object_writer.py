"""Writing an object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..._holdall import _ais_put_file, _ais_put_file_async
from .. import const
from .._response import Response
from .._twin import Steps, blocking, both, twin
from ..types import action
from ..utils import validate_file

if TYPE_CHECKING:
    from ..request_client import RequestClient
    from .obj_file.object_file import ObjectFileWriter

# Longer files are read and sent in parts.
_WHOLE_BYTES = 64 * const.MIB


class ObjectWriter:
    """Writes an object, or a part of an upload.

    Args:
        client: sends the requests.
        object_path: path of the object in requests.
        query_params: query parameters that name its bucket.
    """

    def __init__(
        self, client: RequestClient, object_path: str, query_params: Mapping[str, Any]
    ) -> None:
        self._client = client
        self._object_path = object_path
        self.query_params = query_params

    def put_content(self, content: Any) -> Response:
        """Write bytes (any buffer), or text.

        Raises:
            ErrBckNotFound: there is no such bucket.
        """
        return self._client.request(
            "put", self._object_path, params=self.query_params, data=content
        )

    async def put_content_async(self, content: Any) -> Response:
        """As `put_content`, to be awaited."""
        return await self._client.request_async(
            "put", self._object_path, params=self.query_params, data=content
        )

    @twin
    def put_file(self, path: str | Path) -> Steps[Response]:
        """Write the content of a local file. Long files are sent in parts side by side, and checked.

        Raises:
            ValueError: there is no such file.
        """
        validate_file(path)
        size = (yield blocking(os.stat, path)).st_size
        is_part = const.QPARAM_MPT_UPLOAD_ID in self.query_params
        if size <= _WHOLE_BYTES or is_part:
            content = yield blocking(Path(path).read_bytes)
            return (
                yield self._client.ask(
                    "put", path=self._object_path, params=self.query_params, data=content
                )
            )
        arguments = (self._client.native, self._object_path, self.query_params, os.fspath(path))
        yield both(lambda: _ais_put_file(*arguments), lambda: _ais_put_file_async(*arguments))
        params = {**self.query_params, const.QPARAM_PROPS: "checksum,atime,version"}
        return (
            yield self._client.ask(const.HTTP_METHOD_HEAD, path=self._object_path, params=params)
        )

    put_file_async = put_file.later()

    @twin
    def append_content(self, content: Any, handle: str = "", flush: bool = False) -> Steps[str]:
        """Append to what becomes the object with the flush.

        Args:
            content: bytes; those that come with `flush` are appended before it.
            handle: what the append before returned; empty for the first, which begins with the object as it is.
            flush: make what was appended the object.

        Returns:
            The handle for the next append; empty after a flush.
        """
        if flush and len(content) > 0:
            # The server's flush takes no content.
            handle = yield from self._append("append", content, handle)
            content = b""
        return (yield from self._append("flush" if flush else "append", content, handle))

    append_content_async = append_content.later()

    def _append(self, kind: str, content: Any, handle: str) -> Steps[str]:
        response = yield self._client.ask(
            const.HTTP_METHOD_PUT,
            path=self._object_path,
            params={
                **self.query_params,
                const.QPARAM_OBJ_APPEND: kind,
                const.QPARAM_OBJ_APPEND_HANDLE: handle,
            },
            data=content,
        )
        return response.headers.get(const.HEADER_OBJECT_APPEND_HANDLE, "")

    @twin
    def set_custom_props(
        self, custom_metadata: Mapping[str, str], replace_existing: bool = False
    ) -> Steps[Response]:
        """Add custom properties, or replace all.

        Raises:
            ErrObjNotFound: there is no such object.
        """
        params = dict(self.query_params)
        if replace_existing:
            params[const.QPARAM_NEW_CUSTOM] = "true"
        return (
            yield self._client.ask(
                const.HTTP_METHOD_PATCH,
                path=self._object_path,
                params=params,
                json=action("", dict(custom_metadata)),
            )
        )

    set_custom_props_async = set_custom_props.later()

    def as_file(self, mode: str = "a") -> ObjectFileWriter:
        """A file to write to: ``"a"`` goes on from what the object is, ``"w"`` empties it at once.

        Raises:
            ValueError: another mode.
        """
        if mode not in ("w", "a"):
            raise ValueError(f"Invalid mode: {mode}")
        from .obj_file.object_file import ObjectFileWriter

        return ObjectFileWriter(self, mode)
