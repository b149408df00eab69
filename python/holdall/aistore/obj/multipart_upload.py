"""Uploads in parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import const
from .._response import Response
from .._twin import Steps, twin
from ..types import MptCompletedPart, action
from .object_writer import ObjectWriter

if TYPE_CHECKING:
    from ..request_client import RequestClient


class MultipartUpload:
    """An object that is written in parts, in any order and side by side.

    Args:
        client: sends the requests.
        object_path: path of the object in requests.
        params: query parameters that name its bucket.
    """

    def __init__(
        self,
        client: RequestClient,
        object_path: str,
        params: Mapping[str, str] | None = None,
    ) -> None:
        self.client = client
        self.object_path = object_path
        self.params = params
        self.upload_id: str | None = None
        self.parts: list[int] = []

    def _params(self, **more: Any) -> dict[str, Any]:
        return {**(self.params or {}), const.QPARAM_MPT_UPLOAD_ID: self.upload_id, **more}

    @twin
    def create(self) -> Steps[MultipartUpload]:
        """Begin; this upload."""
        response = yield self.client.ask(
            const.HTTP_METHOD_POST,
            path=self.object_path,
            params=self.params,
            json=action(const.ACT_MPT_UPLOAD),
        )
        self.upload_id = response.text
        return self

    create_async = create.later()

    def add_part(self, part_number: int) -> ObjectWriter:
        """A writer for a part; numbers begin with 1.

        Raises:
            ValueError: the upload was not begun, or this is no number of a part.
        """
        if self.upload_id is None:
            raise ValueError("Multipart upload not created")
        if not isinstance(part_number, int) or part_number <= 0:
            raise ValueError("Part number must be a positive integer")
        self.parts.append(part_number)
        params = self._params(**{const.QPARAM_MPT_PART_NO: part_number})
        return ObjectWriter(self.client, self.object_path, params)

    @twin
    def complete(self) -> Steps[Response]:
        """Make the parts the object."""
        parts = [MptCompletedPart(part_number=number).as_dict() for number in self.parts]
        return (
            yield self.client.ask(
                const.HTTP_METHOD_POST,
                path=self.object_path,
                params=self._params(),
                json=action(const.ACT_MPT_COMPLETE, parts),
            )
        )

    complete_async = complete.later()

    @twin
    def abort(self) -> Steps[Response]:
        """Give the parts up."""
        return (
            yield self.client.ask(
                const.HTTP_METHOD_DELETE,
                path=self.object_path,
                params=self._params(),
                json=action(const.ACT_MPT_ABORT),
            )
        )

    abort_async = abort.later()
