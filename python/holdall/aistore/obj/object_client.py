"""Requests for the content of one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import const
from .._earlier import warn
from .._response import Response
from .._twin import Steps, inner, twin
from ..errors import ErrObjNotFound
from .object_attributes import ObjectAttributes

if TYPE_CHECKING:
    from ..request_client import RequestClient

Range = tuple[int | None, int | None]

_READER_PROPS = "checksum,atime,version,custom"


class ObjectClient:
    """Asks for one object, or for a part of it.

    Args:
        request_client: sends the requests.
        path: path of the object in requests.
        params: query parameters.
        headers: headers of reads.
        byte_range: first and last byte that are read; None for an open end.
        uname: the unique name, where the target is to be asked that has the object.
    """

    def __init__(
        self,
        request_client: RequestClient,
        path: str,
        params: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
        byte_range: Range | None = (None, None),
        uname: str | None = None,
    ) -> None:
        self._request_client = request_client
        self._request_path = path
        self._request_params = dict(params)
        self._request_headers = dict(headers or {})
        self._byte_range = byte_range or (None, None)
        self._uname = uname
        self._node: str | None = None

    @property
    def path(self) -> str:
        """Path of the object in requests."""
        return self._request_path

    @property
    def request_client(self) -> RequestClient:
        """Sends the requests."""
        return self._request_client

    @property
    def is_plain(self) -> bool:
        """Whether what is read is the object as it is, or a range of it."""
        params = self._request_params
        other = (
            const.QPARAM_ARCHPATH,
            const.QPARAM_ARCHREGX,
            const.QPARAM_ARCHMODE,
            const.QPARAM_ETL_NAME,
        )
        return not any(params.get(name) for name in other)

    @property
    def is_whole(self) -> bool:
        """Whether all of the object is read."""
        return self._byte_range == (None, None)

    @twin
    def can_get_at_offset(self) -> Steps[bool]:
        """Whether a read that broke off can go on where it was."""
        first, last = self._byte_range
        if not self.is_plain or (first is None and last is not None):
            return False
        return (yield from inner(self.head)).present

    can_get_at_offset_async = can_get_at_offset.later()

    @twin
    def _target(self, force: bool = False) -> Steps[str | None]:
        if self._uname is None:
            return None
        if self._node is None or force:
            smap = yield from inner(self._request_client.get_smap, force)
            net = smap.get_target_for_object(self._uname).public_net
            self._node = net.direct_url if net else None
        return self._node

    def _get(self, headers: Mapping[str, str], stream: bool) -> Steps[Response]:
        def ask(node: str | None) -> Any:
            return self._request_client.ask(
                const.HTTP_METHOD_GET,
                path=self._request_path,
                endpoint=node,
                params=self._request_params,
                headers=headers,
                stream=stream,
            )

        try:
            return (yield ask((yield from inner(self._target))))
        except ErrObjNotFound:
            if self._uname is None:
                raise
        # It may belong to another target by now.
        return (yield ask((yield from inner(self._target, force=True))))

    @twin
    def get(
        self, stream: bool, offset: int | None = None, *, start_position: int | None = None
    ) -> Steps[Response]:
        """Read; with `offset`, which was ``start_position`` in 1.10, from that byte of what is read on."""
        if start_position is not None:
            warn("start_position", "offset")
            offset = start_position
        headers = self._request_headers
        if offset:
            first, last = self._byte_range
            if first is not None or last is None:
                first = (first or 0) + offset
            else:
                last -= offset
            start = "" if first is None else first
            end = "" if last is None else last
            headers = {**headers, const.HEADER_RANGE: f"bytes={start}-{end}"}
        return (yield from self._get(headers, stream))

    get_async = get.later()

    def read_all(self) -> bytes:
        """The whole content. Nothing is called more often, so this takes the short way."""
        if self._uname is not None:
            return self.get(stream=False).content
        return self._request_client.content(
            self._request_path, self._request_params, self._request_headers
        )

    @twin
    def get_chunk(self, start: int, end: int) -> Steps[Response]:
        """Read the bytes from `start` up to but not including `end`."""
        headers = {**self._request_headers, const.HEADER_RANGE: f"bytes={start}-{end - 1}"}
        return (yield from self._get(headers, stream=True))

    get_chunk_async = get_chunk.later()

    @twin
    def head(self, props: str = _READER_PROPS) -> Steps[ObjectAttributes]:
        """What the server tells of the object."""
        params = {**self._request_params, const.QPARAM_PROPS: props or "name,size"}
        response = yield self._request_client.ask(
            const.HTTP_METHOD_HEAD, path=self._request_path, params=params
        )
        return ObjectAttributes(response.headers)

    head_async = head.later()

    def head_v2(self, props: str = "") -> ObjectAttributes:
        """The name in 1.25 of `head` with `props`."""
        warn("ObjectClient.head_v2", "ObjectClient.head")
        return self.head(props)
