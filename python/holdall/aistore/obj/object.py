"""Objects."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..._holdall import (
    _ais_copy_astray,
    _ais_copy_astray_async,
    _ais_download,
    _ais_download_async,
)
from .. import const
from .._earlier import etl_of, warn
from .._headers import CaseInsensitiveDict
from .._response import Response
from .._twin import Steps, both, inner, twin
from ..provider import Provider
from ..types import BlobMsg, PromoteAPIArgs, action
from .object_client import ObjectClient
from .object_props import ObjectProps
from .object_reader import ObjectReader
from .object_writer import ObjectWriter

if TYPE_CHECKING:
    from io import BufferedWriter

    from ..archive_config import ArchiveConfig
    from ..blob_download_config import BlobDownloadConfig
    from ..request_client import RequestClient
    from .multipart_upload import MultipartUpload

#: What targets that send a copy to another one take for a part of a URL.
_MISTAKEN = "%?#"

_PROPS = "checksum,atime,version,copies,custom,location"


@dataclass
class BucketDetails:
    """The bucket of an object: its name, its provider, the query parameters that name it, and its unique name."""

    name: str
    provider: Provider
    qparams: dict[str, str]
    path: str


def _parse_range(text: str) -> tuple[int | None, int | None]:
    first, _, last = text[const.BYTE_RANGE_PREFIX_LENGTH :].partition("-")
    try:
        return (int(first) if first else None, int(last) if last else None)
    except ValueError:
        raise ValueError(f"`byte_range` {text!r} is no range: write bytes=0-499") from None


class Object:
    """An object of a bucket. That there is such an object shows when something is done with it.

    Args:
        client: sends the requests.
        bck_details: its bucket.
        name: its name.
        props: what is known of it.
    """

    def __init__(
        self,
        client: RequestClient,
        bck_details: BucketDetails,
        name: str,
        props: ObjectProps | None = None,
    ) -> None:
        self._client = client
        self._bck_details = bck_details
        self._name = name
        self._props = props
        self._path: str | None = None

    @property
    def _bck_path(self) -> str:
        return f"{const.URL_PATH_OBJECTS}/{self._bck_details.name}"

    @property
    def _object_path(self) -> str:
        if self._path is None:
            self._path = f"{self._bck_path}/{quote(self._name)}"
        return self._path

    @property
    def bucket_name(self) -> str:
        """Name of its bucket."""
        return self._bck_details.name

    @property
    def bucket_provider(self) -> Provider:
        """Provider of its bucket."""
        return self._bck_details.provider

    @property
    def query_params(self) -> dict[str, str]:
        """Query parameters that name its bucket."""
        return self._bck_details.qparams

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def uname(self) -> str:
        """Its unique name: ``ais/@#/bucket/name``."""
        return self._bck_details.path + self._name

    def __repr__(self) -> str:
        return f"<Object {self.get_semantic_url()}>"

    @property
    def props(self) -> ObjectProps:
        """What the server tells of it now."""
        return self.head(_PROPS)

    async def props_async(self) -> ObjectProps:
        """As `props`, to be awaited."""
        return await self.head_async(_PROPS)

    @property
    def props_cached(self) -> ObjectProps | None:
        """What is known of it; None when nothing is."""
        return self._props

    @twin
    def head(self, props: str = "") -> Steps[ObjectProps]:
        """Ask for what the server tells of it.

        Args:
            props: what to tell, comma separated: ``checksum``, ``atime``, ``version``, ``custom``, ``copies``, ``ec``,
                ``location``, ``chunked``, ``last-modified``, ``etag``; name and size when empty.

        Raises:
            AISError: there is no such object (``status_code`` is 404).
        """
        params = {**self.query_params, const.QPARAM_PROPS: props or "name,size"}
        response = yield self._client.ask(
            const.HTTP_METHOD_HEAD, path=self._object_path, params=params
        )
        self._props = ObjectProps(self._named(response.headers))
        if not props:
            self._props._all_headers = self._head_all
        return self._props

    head_async = head.later()

    def _named(self, headers: CaseInsensitiveDict) -> CaseInsensitiveDict:
        headers = headers.copy()
        headers.setdefault(const.AIS_BCK_NAME, self.bucket_name)
        headers.setdefault(const.AIS_BCK_PROVIDER, self.bucket_provider.value)
        headers.setdefault(const.AIS_OBJ_NAME, self._name)
        return headers

    def _head_all(self) -> CaseInsensitiveDict:
        """All headers that the server has to give, as it gave them to earlier clients."""
        response = self._client.request(
            const.HTTP_METHOD_HEAD, path=self._object_path, params=self.query_params
        )
        return self._named(response.headers)

    @twin
    def head_v2(self, props: str = "") -> Steps[ObjectProps]:
        """The same as `head`. Deprecated."""
        warn("Object.head_v2", "Object.head")
        return (yield from inner(self.head, props))

    head_v2_async = head_v2.later()

    def get_reader(
        self,
        archive_config: ArchiveConfig | None = None,
        blob_download_config: BlobDownloadConfig | None = None,
        chunk_size: int | None = None,
        etl: Any = None,
        writer: BufferedWriter | None = None,
        latest: bool = False,
        byte_range: str | None = None,
        direct: bool = False,
        num_workers: int | None = None,
        *,
        etl_name: str | None = None,
    ) -> ObjectReader:
        """A reader of its content. Nothing is asked for yet, but with `writer` or `num_workers`.

        Args:
            archive_config: which members to read of it, an archive.
            blob_download_config: fetch it to the cluster in chunks.
            chunk_size: bytes of the pieces that the reader iterates over; 32 KiB by default.
            etl: an ``ETLConfig`` to transform it with on the way.
            writer: a file that the content is written to at once.
            latest: whether the cluster compares with the cloud first.
            byte_range: a range as in HTTP: ``bytes=0-499``, ``bytes=500-``, ``bytes=-500``.
            direct: ask the target that has it. Reads go there by themselves where the cluster lets them.
            num_workers: ranges to read at a time, 2 or more.
            etl_name: deprecated, `etl`.

        Raises:
            ValueError: arguments that exclude each other.
        """
        if num_workers is not None:
            self._check_workers(num_workers, byte_range, blob_download_config, etl or etl_name)
        etl = etl_of(etl, etl_name, "get_reader") if etl is not None or etl_name else None
        if byte_range and blob_download_config:
            raise ValueError("Cannot use `byte_range` with `blob_download_config`.")
        params = dict(self.query_params)
        headers: dict[str, str] = {}
        if archive_config:
            if archive_config.mode:
                params[const.QPARAM_ARCHMODE] = archive_config.mode.value
            params[const.QPARAM_ARCHPATH] = archive_config.archpath
            params[const.QPARAM_ARCHREGX] = archive_config.regex
        if blob_download_config:
            headers[const.HEADER_OBJECT_BLOB_DOWNLOAD] = "true"
            for name, value in (
                (const.HEADER_OBJECT_BLOB_CHUNK_SIZE, blob_download_config.chunk_size),
                (const.HEADER_OBJECT_BLOB_WORKERS, blob_download_config.num_workers),
            ):
                if value is not None:
                    headers[name] = str(value)
        if etl:
            etl.update_qparams(params)
        if latest:
            params[const.QPARAM_LATEST] = "true"
        bounds: tuple[int | None, int | None] = (None, None)
        if byte_range:
            headers[const.HEADER_RANGE] = byte_range
            bounds = _parse_range(byte_range)
        client = ObjectClient(
            request_client=self._client,
            path=self._object_path,
            params=params,
            headers=headers,
            byte_range=bounds,
            uname=self.uname if direct else None,
        )
        reader = ObjectReader(client, chunk_size, num_workers)
        if writer:
            writer.writelines(reader)
        return reader

    @staticmethod
    def _check_workers(num_workers: int, byte_range: Any, blob: Any, etl: Any) -> None:
        if num_workers < 2:
            raise ValueError("`num_workers` must be at least 2.")
        if byte_range:
            raise ValueError(
                "Cannot use `num_workers` with `byte_range`: only whole objects are read side by side."
            )
        if blob:
            raise ValueError("Cannot use `num_workers` with `blob_download_config`.")
        if etl:
            raise ValueError("Cannot use `num_workers` with `etl`: ranges are not transformed.")

    def get(self, *args: Any, **kwargs: Any) -> ObjectReader:
        """The same as `get_reader`. Deprecated."""
        warn("Object.get", "Object.get_reader")
        return self.get_reader(*args, **kwargs)

    def get_semantic_url(self) -> str:
        """The URL of any AIStore client: ``ais://bucket/name``."""
        return f"{self.bucket_provider.value}://{self.bucket_name}/{self._name}"

    def get_url(self, archpath: str = "", etl: Any = None, *, etl_name: str | None = None) -> str:
        """The URL to read it by HTTP; it holds no token.

        Args:
            archpath: the member to read of it, an archive.
            etl: an ``ETLConfig`` to transform it with.
            etl_name: deprecated, `etl`.
        """
        etl = etl_of(etl, etl_name, "get_url") if etl is not None or etl_name else None
        params = dict(self.query_params)
        if archpath:
            params[const.QPARAM_ARCHPATH] = archpath
        if etl:
            etl.update_qparams(params)
        return self._client.get_full_url(self._object_path, params)

    def get_writer(self) -> ObjectWriter:
        """A writer of its content and properties."""
        return ObjectWriter(self._client, self._object_path, self.query_params)

    def multipart_upload(self) -> MultipartUpload:
        """An upload in parts; it has to be begun with ``create()``."""
        from .multipart_upload import MultipartUpload

        return MultipartUpload(self._client, self._object_path, self.query_params)

    def put_content(self, content: bytes) -> Response:
        """Write bytes. Deprecated: ``get_writer().put_content``."""
        warn("Object.put_content", "Object.get_writer().put_content")
        return self.get_writer().put_content(content)

    def put_file(self, path: str | Path) -> Response:
        """Write a file. Deprecated: ``get_writer().put_file``."""
        warn("Object.put_file", "Object.get_writer().put_file")
        return self.get_writer().put_file(path)

    def append_content(self, content: bytes, handle: str = "", flush: bool = False) -> str:
        """Append bytes. Deprecated: ``get_writer().append_content``."""
        warn("Object.append_content", "Object.get_writer().append_content")
        return self.get_writer().append_content(content, handle, flush)

    def set_custom_props(
        self, custom_metadata: Mapping[str, str], replace_existing: bool = False
    ) -> Response:
        """Set custom properties. Deprecated: ``get_writer().set_custom_props``."""
        warn("Object.set_custom_props", "Object.get_writer().set_custom_props")
        return self.get_writer().set_custom_props(custom_metadata, replace_existing)

    @twin
    def download(self, path: str | Path) -> Steps[int]:
        """Write the content to a local file, read in parts side by side when it is long, and checked; its size."""
        arguments = (self._client.native, self._object_path, self.query_params, os.fspath(path))
        return (
            yield both(lambda: _ais_download(*arguments), lambda: _ais_download_async(*arguments))
        )

    download_async = download.later()

    @twin
    def promote(
        self,
        path: str,
        target_id: str = "",
        recursive: bool = False,
        overwrite_dest: bool = False,
        delete_source: bool = False,
        src_not_file_share: bool = False,
    ) -> Steps[str]:
        """Make objects of files on the servers' machines; its name is theirs, or the prefix of theirs.

        Args:
            path: the file or folder.
            target_id: the target whose machine has them; any when empty.
            recursive: also what is in folders of the folder.
            overwrite_dest: over objects that are there.
            delete_source: delete the files afterwards.
            src_not_file_share: the folder is not one that all targets see.

        Returns:
            The id of the job; empty when it was done at once.
        """
        value = PromoteAPIArgs(
            source_path=str(path),
            object_name=self._name,
            target_id=target_id,
            recursive=recursive,
            overwrite_dest=overwrite_dest,
            delete_source=delete_source,
            src_not_file_share=src_not_file_share,
        ).as_dict()
        response = yield self._client.ask(
            const.HTTP_METHOD_POST,
            path=self._bck_path,
            params=self.query_params,
            json=action(const.ACT_PROMOTE, value, str(path)),
        )
        return response.text

    promote_async = promote.later()

    @twin
    def delete(self) -> Steps[Response]:
        """Delete it.

        Raises:
            ErrObjNotFound: there is no such object.
        """
        return (
            yield self._client.ask(
                const.HTTP_METHOD_DELETE, path=self._object_path, params=self.query_params
            )
        )

    delete_async = delete.later()

    @twin
    def copy(
        self, to_obj: Object, etl: Any = None, latest: bool = False, sync: bool = False
    ) -> Steps[Response]:
        """Copy it inside the cluster. The other bucket must exist.

        Args:
            to_obj: what it is copied to.
            etl: an ``ETLConfig`` to transform it with on the way.
            latest: whether the cluster compares with the cloud first.
            sync: the same, and what is gone there goes here.

        Raises:
            ValueError: the cluster would take the new name for another one, because of ``%``, ``?`` or ``#`` in
                it, and with these options only the cluster can make the copy.
        """
        if any(sign in to_obj.name for sign in _MISTAKEN):
            astray = (
                self._client.native,
                self._object_path,
                self.query_params,
                (to_obj._object_path, to_obj.query_params),
                bool(etl) or latest or sync,
            )
            is_done = yield both(
                lambda: _ais_copy_astray(*astray), lambda: _ais_copy_astray_async(*astray)
            )
            if is_done:
                return (
                    yield self._client.ask(
                        const.HTTP_METHOD_HEAD,
                        path=to_obj._object_path,
                        params=to_obj.query_params,
                    )
                )
        params = dict(self.query_params)
        params[const.QPARAM_OBJ_TO] = to_obj.uname
        params[const.QPARAM_LATEST] = "true" if latest else "false"
        params[const.QPARAM_SYNC] = "true" if sync else "false"
        if etl:
            etl_of(etl, None, "copy").update_qparams(params)
        return (
            yield self._client.ask(const.HTTP_METHOD_PUT, path=self._object_path, params=params)
        )

    copy_async = copy.later()

    @twin
    def blob_download(
        self, chunk_size: int | None = None, num_workers: int | None = None, latest: bool = False
    ) -> Steps[str]:
        """Fetch it from the cloud to the cluster, in chunks.

        Args:
            chunk_size: bytes.
            num_workers: chunks that are fetched at a time.
            latest: whether the cluster compares with the cloud first.

        Returns:
            The id of the job.
        """
        value = BlobMsg(chunk_size=chunk_size, num_workers=num_workers, latest=latest).as_dict()
        response = yield self._client.ask(
            const.HTTP_METHOD_POST,
            path=self._bck_path,
            params=self.query_params,
            json=action(const.ACT_BLOB_DOWNLOAD, value, self._name),
        )
        return response.text

    blob_download_async = blob_download.later()
