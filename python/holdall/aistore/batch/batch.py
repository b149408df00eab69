"""Batches."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Generator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..const import (
    EXT_TAR,
    HEADER_CONTENT_TYPE,
    HTTP_METHOD_GET,
    JSON_CONTENT_TYPE,
    QPARAM_COLOC,
    QPARAM_PROVIDER,
    URL_PATH_GB,
)
from ..enums import Colocation
from ..obj.object import Object
from ..request_client import RequestClient
from .extractor.extractor_registry import get_extractor
from .extractor.tar_stream_extractor import TarStreamExtractor
from .multipart.multipart_decoder import MultipartDecoder
from .types import MossIn, MossOut, MossReq, MossResp

if TYPE_CHECKING:
    from ..bucket import Bucket

BatchResult = Generator[tuple[MossOut, bytes], None, None]
"""Pairs of what an entry is and its content, in the order of the request."""

# How many entries cross from the reading thread to the event loop at once.
_ASYNC_ENTRIES = 64


class Batch:
    """Entries that are fetched with one request: objects, members of archives, ranges of bytes, from any buckets.

    Args:
        request_client: The client that sends the request.
        objects: Names in ``bucket``, objects, or a list of such; more with `add`.
        bucket: The bucket of what is given by name alone.
        output_format: Format of the reply: ``.tar``, ``.tgz``, ``.tar.gz``, ``.tar.lz4``, ``.zip``.
        cont_on_err: Whether an entry that is missing is answered with an error instead of ending the batch. Servers
            bear a few, by their setting ``get_batch.max_soft_errs``.
        only_obj_name: Whether members of the reply are named without their bucket.
        streaming_get: Whether the reply begins before everything is collected. What entries are then follows from the
            request; otherwise the server describes each, with its size and error.
        colocation: A hint on where the objects are.

    Raises:
        ValueError: For names without a bucket, and for a format that is not known.
        NotImplementedError: For ``Colocation.TARGET_AND_SHARD_AWARE``, which servers do not have.
    """

    def __init__(
        self,
        request_client: RequestClient,
        objects: list[Object] | Object | str | list[str] | None = None,
        bucket: Bucket | None = None,
        output_format: str = EXT_TAR,
        cont_on_err: bool = True,
        only_obj_name: bool = False,
        streaming_get: bool = True,
        colocation: Colocation = Colocation.NONE,
    ) -> None:
        if not Colocation.NONE <= colocation <= Colocation.TARGET_AND_SHARD_AWARE:
            raise ValueError(
                f"Invalid colocation value: {colocation}. Must be a Colocation enum member."
            )
        if colocation == Colocation.TARGET_AND_SHARD_AWARE:
            raise NotImplementedError(
                "Colocation.TARGET_AND_SHARD_AWARE is not yet implemented on the server side."
            )
        self.request_client = request_client
        self.bucket = bucket
        self.extractor = get_extractor(output_format)
        self.request = MossReq(
            mime=output_format,
            coer=cont_on_err,
            onob=only_obj_name,
            strm=streaming_get,
            coloc=int(colocation) or None,
        )
        if objects is not None:
            self._add_all(objects if isinstance(objects, list) else [objects])

    def _add_all(self, objects: list[Any]) -> None:
        # Thousands of plain names are the usual case.
        bucket = self.bucket
        place = None if bucket is None else (bucket.name, bucket.provider.value)
        entries, made, nothing = self.requests_list, MossIn._made, dict[str, Any]()
        for obj in objects:
            if type(obj) is str and place is not None:
                entries.append(made(obj, *place, nothing))
            elif isinstance(obj, Object) or isinstance(obj, str):  # noqa: SIM101
                self.add(obj)
            else:
                raise ValueError(f"Unsupported object type: {type(obj)}")

    @property
    def requests_list(self) -> list[MossIn]:
        """The entries."""
        return self.request.moss_in

    def add(
        self,
        obj: Object | str,
        opaque: bytes | None = None,
        archpath: str | None = None,
        start: int | None = None,
        length: int | None = None,
        bck: str | None = None,
        provider: str | None = None,
    ) -> Batch:
        """Add an entry.

        Args:
            obj: An object, or a name in the batch's bucket or in ``bck``.
            opaque: What comes back with the entry, unchanged.
            archpath: A member of the object, which is an archive.
            start: The first byte, of the object as it is stored or of the member.
            length: How many bytes from there; -1 for all.
            bck: The bucket of a name, together with its ``provider``.
            provider: The provider of ``bck``.

        Returns:
            The batch itself.

        Raises:
            ValueError: For a range that cannot be, a name without a bucket, and one of ``bck`` and ``provider`` alone.
        """
        extra: dict[str, Any] = {}
        if start or length:
            _check_range(start, length)
            extra.update(start=start or None, length=length or None)
        if (bck is None) != (provider is None):
            raise ValueError("bck and provider must be set together, or not at all")
        if opaque:
            extra["opaque"] = base64.b64encode(opaque).decode()
        if archpath:
            extra["archpath"] = archpath
        if isinstance(obj, Object):
            if bck is not None:
                raise ValueError("bck/provider cannot be combined with an Object instance")
            name, bck, provider = obj.name, obj.bucket_name, obj.bucket_provider.value
        else:
            name = obj
            if bck is None:
                if self.bucket is None:
                    raise ValueError(
                        "Bucket must be provided when objects are specified as raw names (str or list of str)"
                    )
                bck, provider = self.bucket.name, self.bucket.provider.value
        assert bck is not None and provider is not None
        self.request.add(MossIn._made(name, bck, provider, extra))
        return self

    def clear(self) -> Batch:
        """Forget the entries."""
        self.request.moss_in = []
        return self

    def get(
        self,
        raw: bool = False,
        decode_as_stream: bool = False,
        clear_batch: bool = True,
        *,
        tar_buffer_size: int | None = None,
    ) -> BatchResult | Any:
        """Send the request.

        Args:
            raw: Whether the reply is wanted as it comes. Then it is to be closed by the caller.
            decode_as_stream: Whether a reply of parts is taken apart as it comes; otherwise it is read first.
            clear_batch: Whether the entries are forgotten, so that the batch can be filled anew.
            tar_buffer_size: How many bytes of a tar are asked for at once.

        Returns:
            Pairs of what an entry is and its content, in the order of the request; with ``raw``, the reply as a file
            object.

        Raises:
            ValueError: When there are no entries, or the buffer's size cannot be.
            AISError: When the server refuses.
            RuntimeError: While the pairs are read, when the reply is damaged, cut short, or has other entries than
                were asked for.
        """
        if not self.requests_list:
            raise ValueError("No objects added to batch")
        self._check_buffer(tar_buffer_size, raw)
        response = self._send()
        request = self.request.model_copy(update={"moss_in": list(self.requests_list)})
        if clear_batch:
            self.clear()
        if raw:
            return response.raw
        options = {} if tar_buffer_size is None else {"buffer_size": tar_buffer_size}
        if request.streaming_get:
            return self.extractor.extract(response, response.raw, request, None, **options)
        try:
            parts = MultipartDecoder(parse_as_stream=True).decode(response)
            description = next(parts)[1].read()
            archive = next(parts)[1]
            if not decode_as_stream:
                archive = archive.read_whole()
        except BaseException:
            response.close()
            raise
        described = MossResp.model_validate_json(description)
        return self.extractor.extract(response, archive, request, described, **options)

    async def get_async(
        self,
        clear_batch: bool = True,
        *,
        tar_buffer_size: int | None = None,
    ) -> AsyncIterator[tuple[MossOut, bytes]]:
        """Send the request, and give the pairs of `get` as they come: ``async for out, content in batch.get_async()``."""
        pairs = await asyncio.to_thread(
            self.get, False, True, clear_batch, tar_buffer_size=tar_buffer_size
        )
        try:
            while some := await asyncio.to_thread(lambda: list(islice(pairs, _ASYNC_ENTRIES))):
                for pair in some:
                    yield pair
        finally:
            # A cancelled task leaves its thread to finish what it reads.
            with suppress(ValueError):
                pairs.close()

    def _check_buffer(self, size: int | None, raw: bool) -> None:
        if size is None:
            return
        if isinstance(size, bool) or not isinstance(size, int) or size <= 0:
            raise ValueError("tar_buffer_size must be a positive integer")
        if raw or not isinstance(self.extractor, TarStreamExtractor):
            raise ValueError("tar_buffer_size requires TAR extraction with raw=False")

    def _send(self) -> Any:
        path, params = URL_PATH_GB, {}
        if self.bucket is not None:
            path = f"{URL_PATH_GB}/{self.bucket.name}"
            params[QPARAM_PROVIDER] = self.bucket.provider.value
        if self.request.colocation:
            params[QPARAM_COLOC] = str(int(self.request.colocation))
        return self.request_client.request(
            method=HTTP_METHOD_GET,
            path=path,
            params=params,
            headers={HEADER_CONTENT_TYPE: JSON_CONTENT_TYPE},
            stream=True,
            data=self.request._text().encode(),
        )

    def __len__(self) -> int:
        return len(self.requests_list)

    def __repr__(self) -> str:
        return f"Batch(objects={len(self)}, format={self.request.output_format})"


def _check_range(start: int | None, length: int | None) -> None:
    # The server refuses the same, but with the whole batch.
    if start and start < 0:
        raise ValueError(f"Invalid byte range: start={start} must be >= 0")
    if length is not None and length < -1:
        raise ValueError(
            f"Invalid byte range: length={length} must be > 0, or -1 to read to the end"
        )
    if start and not length:
        raise ValueError(
            f"Invalid byte range: start={start} requires length > 0 or -1 (use -1 to read to the end)"
        )
