"""Buckets."""

from __future__ import annotations

import json as _json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .._holdall import (
    _ais_list,
    _ais_list_arrow,
    _ais_list_arrow_async,
    _ais_list_async,
    _ais_put_files,
    _ais_put_files_async,
)
from . import const
from ._earlier import etl_of
from ._headers import CaseInsensitiveDict
from ._response import Response
from ._twin import Step, Steps, blocking, both, inner, nap, twin
from .ais_source import AISSource
from .enums import FLTPresence
from .errors import (
    ErrBckAlreadyExists,
    ErrBckNotFound,
    InvalidBckProvider,
    UnexpectedHTTPStatusCode,
)
from .list_object_flag import ListObjectFlag
from .multiobj.object_group import ObjectGroup
from .namespace import Namespace
from .obj.object import BucketDetails, Object
from .obj.object_iterator import ObjectIterator
from .obj.object_props import ObjectProps
from .provider import Provider
from .types import (
    BsummCtrlMsg,
    BucketEntry,
    BucketList,
    BucketModel,
    CopyBckMsg,
    CreateNBIMsg,
    ListObjectsMsg,
    NBIInfo,
    TCBckMsg,
    TransformBckMsg,
    action,
)
from .utils import get_file_size, validate_directory

if TYPE_CHECKING:
    from ..store import AISStore
    from .multiobj.object_range import ObjectRange
    from .request_client import RequestClient

OnError = Literal["raise", "return"]

_TIMEOUT = "5m"
# Seconds between two looks at a summary that is being made: first and last.
_PAUSES = (0.01, 10.0)


_SCHEMES = {
    Provider.AIS: "ais",
    Provider.AMAZON: "ais+s3",
    Provider.AZURE: "ais+az",
    Provider.GOOGLE: "ais+gs",
    Provider.OCI: "ais+oc",
    Provider.HTTP: "ais+ht",
}


def _pauses() -> Iterator[float]:
    pause, longest = _PAUSES
    while True:
        yield pause
        pause = min(pause * 1.5, longest)


Header = CaseInsensitiveDict
"""The name in 1.10 of what `Bucket.head` returns."""


class Bucket(AISSource):
    """A bucket. That there is such a bucket shows when something is done with it.

    Args:
        name: its name.
        client: sends the requests.
        provider: where it is: in the cluster, or in a cloud behind it.
        namespace: its namespace; the global one by default.

    Raises:
        InvalidBckProvider: there is no such provider.
    """

    def __init__(
        self,
        name: str,
        client: RequestClient | None = None,
        provider: Provider | str = Provider.AIS,
        namespace: Namespace | None = None,
    ) -> None:
        self._client = client
        self._name = name
        self._provider = Provider.parse(provider)
        self._namespace = namespace
        self._qparam = {const.QPARAM_PROVIDER: self._provider.value}
        if namespace:
            self._qparam[const.QPARAM_NAMESPACE] = namespace.get_path()
        self._details: BucketDetails | None = None

    @property
    def client(self) -> RequestClient:
        """Sends the requests."""
        return self._client  # type: ignore[return-value]

    @client.setter
    def client(self, client: RequestClient) -> None:
        self._client = client

    @property
    def qparam(self) -> dict[str, str]:
        """Query parameters that name it."""
        return self._qparam

    @property
    def provider(self) -> Provider:
        """Where it is."""
        return self._provider

    @property
    def name(self) -> str:
        """Its name."""
        return self._name

    @property
    def namespace(self) -> Namespace | None:
        """Its namespace; None for the global one."""
        return self._namespace

    def __repr__(self) -> str:
        namespace = self._namespace.get_path() + "/" if self._namespace else ""
        return f"<Bucket {self._provider.value}://{namespace}{self._name}>"

    @property
    def _path(self) -> str:
        return f"{const.URL_PATH_BUCKETS}/{self._name}"

    def get_path(self) -> str:
        """Its unique name: ``ais/@#/name/``."""
        return self.as_model().get_path()

    def as_model(self) -> BucketModel:
        """Name, provider and namespace."""
        return BucketModel(
            name=self._name, namespace=self._namespace, provider=self._provider.value
        )

    def verify_cloud_bucket(self) -> None:
        """Raise `InvalidBckProvider` unless it is a cloud's."""
        if not self._provider.is_remote():
            raise InvalidBckProvider(self._provider)

    def _verify_ais_bucket(self) -> None:
        if self._provider.is_remote():
            raise InvalidBckProvider(self._provider)

    def _verify_start_after(self, start_after: str) -> None:
        if start_after and self._provider.is_remote():
            raise NotImplementedError(
                f"'start_after' is not supported for remote bucket provider '{self._provider.value}'"
            )

    @twin
    def make_request(
        self,
        method: str,
        action: str,
        value: Any = None,
        params: Mapping[str, Any] | None = None,
        name: str = "",
    ) -> Steps[Response]:
        """Send a control request about it.

        Args:
            method: of HTTP.
            action: what to do.
            value: with what.
            params: of the query, in place of those that name the bucket.
            name: the name that the message has.

        Raises:
            ValueError: it has no client.
        """
        if self._client is None:
            raise ValueError(
                "the bucket has no client to send requests: make it with client.bucket(name)"
            )
        return (
            yield self._client.ask(
                method,
                path=self._path,
                json={"action": action, "name": name, "value": value},
                params=params or self._qparam,
            )
        )

    make_request_async = make_request.later()

    @twin
    def create(self, exist_ok: bool = False) -> Steps[Bucket]:
        """Make it.

        Raises:
            ErrBckAlreadyExists: it is there already, and `exist_ok` is not set.
            InvalidBckProvider: it is a cloud's.
        """
        self._verify_ais_bucket()
        try:
            yield from inner(self.make_request, const.HTTP_METHOD_POST, const.ACT_CREATE_BCK)
        except ErrBckAlreadyExists:
            if not exist_ok:
                raise
        return self

    create_async = create.later()

    @twin
    def delete(self, missing_ok: bool = False) -> Steps[None]:
        """Delete it and all in it.

        Raises:
            ErrBckNotFound: it is not there, and `missing_ok` is not set.
            InvalidBckProvider: it is a cloud's.
        """
        self._verify_ais_bucket()
        try:
            yield from inner(self.make_request, const.HTTP_METHOD_DELETE, const.ACT_DESTROY_BCK)
        except ErrBckNotFound:
            if not missing_ok:
                raise

    delete_async = delete.later()

    @twin
    def rename(self, to_bck_name: str) -> Steps[str]:
        """Rename it. This object has the new name afterwards; a job moves the objects, whose id is returned.

        Raises:
            InvalidBckProvider: it is a cloud's.
        """
        self._verify_ais_bucket()
        target = BucketModel(
            name=to_bck_name, namespace=self._namespace, provider=self._provider.value
        )
        params = {**self._qparam, const.QPARAM_BCK_TO: target.get_path()}
        response = yield from inner(
            self.make_request, const.HTTP_METHOD_POST, const.ACT_MOVE_BCK, params=params
        )
        self._name = to_bck_name
        self._details = None
        return response.text

    rename_async = rename.later()

    @twin
    def evict(self, keep_md: bool = False) -> Steps[None]:
        """Remove what the cluster holds of it; with `keep_md`, it still knows the bucket.

        Raises:
            InvalidBckProvider: it is not a cloud's.
        """
        self.verify_cloud_bucket()
        params = {**self._qparam, const.QPARAM_KEEP_REMOTE: str(keep_md)}
        yield from inner(
            self.make_request, const.HTTP_METHOD_DELETE, const.ACT_EVICT_REMOTE_BCK, params=params
        )

    evict_async = evict.later()

    @twin
    def head(self) -> Steps[CaseInsensitiveDict]:
        """The headers that the server answers a HEAD with.

        Raises:
            AISError: there is no such bucket (``status_code`` is 404).
        """
        response = yield self.client.ask(
            const.HTTP_METHOD_HEAD, path=self._path, params=self._qparam
        )
        return response.headers

    head_async = head.later()

    @twin
    def summary(
        self, uuid: str = "", prefix: str = "", cached: bool = True, present: bool = True
    ) -> Steps[dict[str, Any]]:
        """Count objects and bytes.

        Args:
            uuid: of a summary that was asked for before.
            prefix: which objects count.
            cached: only objects in the cluster.
            present: only if the cluster knows the bucket already.

        Raises:
            ErrBckNotFound: there is no such bucket.
            UnexpectedHTTPStatusCode: the server does not follow the protocol.
        """
        message = BsummCtrlMsg(uuid=uuid, prefix=prefix, cached=cached, present=present)

        def ask() -> Steps[Response]:
            value = message.model_dump()
            return inner(
                self.make_request, const.HTTP_METHOD_GET, const.ACT_SUMMARY_BCK, value=value
            )

        response = yield from ask()
        if response.status_code == const.STATUS_OK:
            raise UnexpectedHTTPStatusCode([const.STATUS_ACCEPTED], response.status_code)
        message.uuid = response.text.strip().strip('"')
        going_on = (const.STATUS_ACCEPTED, const.STATUS_PARTIAL_CONTENT)
        for pause in _pauses():
            response = yield from ask()
            if response.status_code == const.STATUS_OK:
                break
            if response.status_code not in going_on:
                raise UnexpectedHTTPStatusCode([const.STATUS_OK, *going_on], response.status_code)
            yield nap(pause)
        return response.json()[0]

    summary_async = summary.later()

    @twin
    def info(
        self,
        flt_presence: int = FLTPresence.FLT_EXISTS,
        bsumm_remote: bool = True,
        prefix: str = "",
    ) -> Steps[tuple[str, dict[str, Any]]]:
        """Its properties as JSON, and a summary.

        Args:
            flt_presence: which objects count: one of `FLTPresence`.
            bsumm_remote: also those that are only in the cloud.
            prefix: which objects count.

        Raises:
            ValueError: there is no such `flt_presence`.
            UnexpectedHTTPStatusCode: the server does not follow the protocol.
        """
        try:
            presence = int(FLTPresence(flt_presence))
        except ValueError as error:
            raise ValueError("`flt_presence` must be in values of enum FLTPresence") from error
        params: dict[str, Any] = {
            **self._qparam,
            const.QPARAM_FLT_PRESENCE: presence,
            const.QPARAM_BSUMM_REMOTE: bsumm_remote,
        }
        path = f"{self._path}/{prefix}" if prefix else self._path
        response = yield self.client.ask(const.HTTP_METHOD_HEAD, path=path, params=params)
        if response.status_code != const.STATUS_ACCEPTED:
            raise UnexpectedHTTPStatusCode([const.STATUS_ACCEPTED], response.status_code)
        props = response.headers.get(const.HEADER_BUCKET_PROPS, "{}")
        params[const.QPARAM_UUID] = response.headers.get(const.HEADER_XACTION_ID, "").strip('"')
        summary: dict[str, Any] = {}
        for pause in _pauses():
            yield nap(pause)
            response = yield self.client.ask(const.HTTP_METHOD_HEAD, path=self._path, params=params)
            text = response.headers.get(const.HEADER_BUCKET_SUMM, "")
            if text:
                summary = _json.loads(text)
            if response.status_code == const.STATUS_OK:
                break
        return props, summary

    info_async = info.later()

    def _to_bucket(self, to_bck: Bucket, act: str, message: TCBckMsg) -> Steps[str]:
        params = {**self._qparam, const.QPARAM_BCK_TO: to_bck.get_path()}
        response = yield from inner(
            self.make_request,
            const.HTTP_METHOD_POST,
            act,
            value=message.as_dict(),
            params=params,
        )
        return response.text

    @twin
    def copy(
        self,
        to_bck: Bucket,
        prefix_filter: str = "",
        prepend: str = "",
        ext: dict[str, str] | None = None,
        dry_run: bool = False,
        force: bool = False,
        latest: bool = False,
        sync: bool = False,
        num_workers: int | None = 0,
    ) -> Steps[str]:
        """Copy its objects to another bucket, which is made when it is missing; the id of the job.

        Args:
            to_bck: the other bucket.
            prefix_filter: which objects are copied.
            prepend: what is put before their names.
            ext: new endings of names, by old ones.
            dry_run: count and change nothing.
            force: even if another job is in the way.
            latest: whether the cluster compares with the cloud first.
            sync: the same, and what is gone there goes here.
            num_workers: objects that are copied at a time, per target; 0 is up to the cluster.
        """
        message = CopyBckMsg(
            prefix=prefix_filter,
            prepend=prepend,
            force=force,
            dry_run=dry_run,
            latest=latest,
            sync=sync,
        )
        whole = TCBckMsg(ext=ext, num_workers=num_workers, copy_msg=message)
        return (yield from self._to_bucket(to_bck, const.ACT_COPY_BCK, whole))

    copy_async = copy.later()

    @twin
    def transform(
        self,
        etl_name: str,
        to_bck: Bucket,
        timeout: str = _TIMEOUT,
        prefix_filter: str = "",
        prepend: str = "",
        ext: dict[str, str] | None = None,
        force: bool = False,
        dry_run: bool = False,
        latest: bool = False,
        sync: bool = False,
        num_workers: int | None = 0,
        cont_on_err: bool = False,
        etl_pipeline: list[str] | None = None,
    ) -> Steps[str]:
        """Transform its objects into another bucket; the id of the job.

        Args:
            etl_name: the transformer.
            to_bck: the other bucket.
            timeout: of the transformation of one object, like ``5m``.
            prefix_filter: which objects are transformed.
            prepend: what is put before their names.
            ext: new endings of names, by old ones.
            force: even if another job is in the way.
            dry_run: transform, and keep nothing.
            latest: whether the cluster compares with the cloud first.
            sync: the same, and what is gone there goes here.
            num_workers: objects that are transformed at a time, per target; 0 is up to the cluster.
            cont_on_err: go on with the others when one fails.
            etl_pipeline: transformers that follow.
        """
        whole = TCBckMsg(
            ext=ext,
            num_workers=num_workers,
            cont_on_err=cont_on_err,
            transform_msg=TransformBckMsg(
                etl_name=etl_name, timeout=timeout, etl_pipeline=etl_pipeline
            ),
            copy_msg=CopyBckMsg(
                prefix=prefix_filter,
                prepend=prepend,
                force=force,
                dry_run=dry_run,
                latest=latest,
                sync=sync,
            ),
        )
        return (yield from self._to_bucket(to_bck, const.ACT_ETL_BCK, whole))

    transform_async = transform.later()

    @twin
    def inspect(
        self,
        etl_name: str,
        timeout: str = _TIMEOUT,
        prefix_filter: str = "",
        latest: bool = False,
        num_workers: int | None = None,
        etl_pipeline: list[str] | None = None,
    ) -> Steps[str]:
        """Transform its objects and keep nothing: what fails is told by ``Etl.view(job_id)``; the id of the job."""
        return (
            yield from inner(
                self.transform,
                etl_name=etl_name,
                to_bck=self,
                timeout=timeout,
                prefix_filter=prefix_filter,
                latest=latest,
                dry_run=True,
                num_workers=num_workers,
                cont_on_err=True,
                etl_pipeline=etl_pipeline,
            )
        )

    inspect_async = inspect.later()

    def _list(
        self,
        prefix: str,
        props: str,
        page_size: int,
        flags: Iterable[ListObjectFlag] | None,
        target: str,
        inventory_name: str,
        start_after: str,
        uuid: str = "",
        continuation_token: str = "",
        *,
        all_pages: bool = False,
    ) -> Step:
        self._verify_start_after(start_after)
        wanted = list(flags or ())
        headers = {}
        if inventory_name:
            wanted.append(ListObjectFlag.NBI)
            headers[const.HEADER_INV_NAME] = inventory_name
        message = ListObjectsMsg(
            prefix=prefix,
            page_size=page_size,
            uuid=uuid,
            props=props,
            continuation_token=continuation_token,
            flags=wanted,
            target=target,
            start_after=start_after,
        )
        client = self.client
        body = _json.dumps(action(const.ACT_LIST, message.as_dict())).encode()
        arguments = (client.native, self._path, self._qparam, headers, body, self, all_pages)

        def page(found: Any) -> BucketList:
            if isinstance(found, tuple):
                return BucketList(*found)
            client._response_handler.handle_response(Response(found, const.HTTP_METHOD_GET))
            raise UnexpectedHTTPStatusCode([const.STATUS_OK], found.status_code)

        async def soon() -> BucketList:
            return page(await _ais_list_async(*arguments))

        return both(lambda: page(_ais_list(*arguments)), soon)

    @twin
    def list_objects(
        self,
        prefix: str = "",
        props: str = "",
        page_size: int = 0,
        uuid: str = "",
        continuation_token: str = "",
        flags: list[ListObjectFlag] | None = None,
        target: str = "",
        inventory_name: str = "",
        start_after: str = "",
    ) -> Steps[BucketList]:
        """A page of its objects, in the order of the bytes of their names.

        Args:
            prefix: which objects are shown.
            props: what of them, comma separated: ``name``, ``size``, ``version``, ``checksum``, ``atime``, ``cached``,
                ``copies``, ``custom``, ``location``, …
            page_size: most entries; 0 is up to the server.
            uuid: of the listing, from its page before.
            continuation_token: where to go on, from the page before.
            flags: more about what is shown.
            target: only objects of this target.
            inventory_name: an inventory to list from.
            start_after: begin after this name; clouds cannot.

        Raises:
            ErrBckNotFound: there is no such bucket.
            NotImplementedError: `start_after`, and it is a cloud's.
        """
        return (
            yield self._list(
                prefix,
                props,
                page_size,
                flags,
                target,
                inventory_name,
                start_after,
                uuid,
                continuation_token,
            )
        )

    list_objects_async = list_objects.later()

    def list_objects_iter(
        self,
        prefix: str = "",
        props: str = "",
        page_size: int = 0,
        flags: list[ListObjectFlag] | None = None,
        target: str = "",
        inventory_name: str = "",
        start_after: str = "",
    ) -> ObjectIterator:
        """Iterate over its objects, also with ``async for``; pages are asked for when they are needed. See `list_objects`."""
        self._verify_start_after(start_after)

        def arguments(uuid: str, token: str) -> dict[str, Any]:
            return {
                "prefix": prefix,
                "props": props,
                "page_size": page_size,
                "uuid": uuid,
                "continuation_token": token,
                "flags": flags,
                "target": target,
                "inventory_name": inventory_name,
                "start_after": "" if token else start_after,
            }

        async def soon(uuid: str, token: str) -> BucketList:
            return await self.list_objects_async(**arguments(uuid, token))

        def now(uuid: str, token: str) -> BucketList:
            return self.list_objects(**arguments(uuid, token))

        return ObjectIterator(now, soon)

    @twin
    def list_all_objects(
        self,
        prefix: str = "",
        props: str = "",
        page_size: int = 0,
        flags: list[ListObjectFlag] | None = None,
        target: str = "",
        inventory_name: str = "",
        start_after: str = "",
    ) -> Steps[list[BucketEntry]]:
        """All its objects. See `list_objects`; `page_size` is that of the requests."""
        found = yield self._list(
            prefix,
            props,
            page_size,
            flags,
            target,
            inventory_name,
            start_after,
            all_pages=True,
        )
        return found.entries

    list_all_objects_async = list_all_objects.later()

    def list_all_objects_iter(
        self, prefix: str = "", props: str = "name,size", start_after: str = ""
    ) -> Iterator[Object]:
        """Iterate over its objects, with what the listing tells of them as their ``props_cached``."""
        entries = self.list_objects_iter(prefix=prefix, props=props, start_after=start_after)
        return (self.object(entry.name, entry.generate_object_props()) for entry in entries)

    def list_urls(
        self, prefix: str = "", etl: Any = None, *, etl_name: str | None = None
    ) -> Iterator[str]:
        """Iterate over the URLs of its objects; `etl`, an ``ETLConfig``, transforms them."""
        etl = etl_of(etl, etl_name, "list_urls") if etl is not None or etl_name else None
        entries = self.list_objects_iter(prefix=prefix, props="name")
        return (self.object(entry.name).get_url(etl=etl) for entry in entries)

    @twin
    def list_archive(
        self,
        archive_obj_name: str,
        include_archive_obj: bool = False,
        props: str = "",
        page_size: int = 0,
    ) -> Steps[list[BucketEntry]]:
        """The members of an archive, as ``archive/member``; with `include_archive_obj` the archive itself, too."""
        entries = yield from inner(
            self.list_all_objects,
            prefix=archive_obj_name,
            props=props,
            page_size=page_size,
            flags=[ListObjectFlag.ARCH_DIR],
        )
        return [e for e in entries if include_archive_obj or e.name != archive_obj_name]

    list_archive_async = list_archive.later()

    @twin
    def list_arrow(
        self,
        prefix: str = "",
        props: str = "",
        flags: list[ListObjectFlag] | None = None,
        start_after: str = "",
    ) -> Steps[Any]:
        """All its objects as a table of Arrow, for pyarrow, Polars, DuckDB and the like (``pyarrow.table(…)``).

        Columns: ``name``, ``size``, ``version``, ``checksum``, ``atime``, ``location``, ``custom``, ``copies``, ``flags``.
        """
        self._verify_start_after(start_after)
        message = ListObjectsMsg(
            prefix=prefix, props=props, flags=list(flags or ()), start_after=start_after
        )
        body = _json.dumps(action(const.ACT_LIST, message.as_dict())).encode()
        arguments = (self.client.native, self._path, self._qparam, body)
        found = yield both(
            lambda: _ais_list_arrow(*arguments), lambda: _ais_list_arrow_async(*arguments)
        )
        if hasattr(found, "status_code"):
            self.client._response_handler.handle_response(Response(found, const.HTTP_METHOD_GET))
        return found

    list_arrow_async = list_arrow.later()

    @twin
    def create_inventory(
        self,
        name: str = "",
        prefix: str = "",
        props: str = "",
        names_per_chunk: int = 0,
        force: bool = False,
    ) -> Steps[str]:
        """Make an inventory, which listings can read from; the id of the job.

        Args:
            name: of the inventory.
            prefix: which objects are in it.
            props: what of them; name, size and whether they are cached by default.
            names_per_chunk: entries that are written at a time; 0 is up to the server.
            force: in place of one of this name.
        """
        message = CreateNBIMsg(
            name=name, prefix=prefix, props=props, names_per_chunk=names_per_chunk, force=force
        )
        response = yield from inner(
            self.make_request,
            const.HTTP_METHOD_POST,
            const.ACT_CREATE_NBI,
            value=message.as_dict(),
        )
        return response.text

    create_inventory_async = create_inventory.later()

    @twin
    def destroy_inventory(self, name: str = "") -> Steps[None]:
        """Delete an inventory; all when there is no name."""
        yield from inner(
            self.make_request, const.HTTP_METHOD_DELETE, const.ACT_DESTROY_NBI, name=name
        )

    destroy_inventory_async = destroy_inventory.later()

    @twin
    def show_inventory(self, name: str = "") -> Steps[dict[str, NBIInfo]]:
        """What inventories there are, by the names of their objects; one when there is a name."""
        response = yield from inner(
            self.make_request, const.HTTP_METHOD_GET, const.ACT_SHOW_NBI, name=name
        )
        return {key: NBIInfo(**value) for key, value in response.json().items()}

    show_inventory_async = show_inventory.later()

    @twin
    def put_files(
        self,
        path: str | Path,
        prefix_filter: str = "",
        pattern: str = "*",
        basename: bool = False,
        prepend: str | None = None,
        recursive: bool = False,
        dry_run: bool = False,
        verbose: bool = True,
    ) -> Steps[list[str]]:
        """Write the files of a local folder, many at a time; the names of the objects.

        Args:
            path: the folder.
            prefix_filter: only files whose own names begin with it.
            pattern: only files that it matches, as in `Path.glob`.
            basename: name objects by the files' own names, without folders.
            prepend: what is put before the names.
            recursive: also what is in folders of the folder.
            dry_run: return the names and write nothing.
            verbose: log what is written, to the logger ``holdall.aistore.bucket.put_files``.

        Raises:
            ValueError: there is no such folder.
        """
        validate_directory(path)
        root = Path(path)
        pairs = yield blocking(
            self._files, root, prefix_filter, pattern, basename, prepend, recursive
        )
        if not dry_run:
            files = [(os.fspath(file), name) for file, name in pairs]
            arguments = (self.client.native, self._name, self._qparam, files)
            yield both(lambda: _ais_put_files(*arguments), lambda: _ais_put_files_async(*arguments))
        logger = logging.getLogger(f"{__name__}.put_files")
        if verbose and logger.isEnabledFor(logging.INFO):
            done = "would be written" if dry_run else "was written"
            for file, name in pairs:
                logger.info("%s (%s) %s to %s", file, get_file_size(file), done, name)
        return [name for _, name in pairs]

    put_files_async = put_files.later()

    @staticmethod
    def _files(
        root: Path,
        prefix_filter: str,
        pattern: str,
        basename: bool,
        prepend: str | None,
        recursive: bool,
    ) -> list[tuple[Path, str]]:
        found = root.rglob(pattern) if recursive else root.glob(pattern)
        return [
            (
                file,
                (prepend or "") + (file.name if basename else file.relative_to(root).as_posix()),
            )
            for file in found
            if file.name.startswith(prefix_filter) and file.is_file()
        ]

    def _bucket_details(self) -> BucketDetails:
        if self._details is None:
            self._details = BucketDetails(self._name, self._provider, self._qparam, self.get_path())
        return self._details

    def object(self, obj_name: str, props: ObjectProps | None = None) -> Object:
        """An object of it."""
        return Object(self._client, self._details or self._bucket_details(), obj_name, props)  # type: ignore[arg-type]

    def objects(
        self,
        obj_names: list[str] | None = None,
        obj_range: ObjectRange | None = None,
        obj_template: str | None = None,
    ) -> ObjectGroup:
        """Many objects of it, for operations that run as jobs. Give one of the three.

        Args:
            obj_names: names.
            obj_range: a range of numbers.
            obj_template: a template, like ``shard-{000..099}.tar``.
        """
        return ObjectGroup(
            bck=self, obj_names=obj_names, obj_range=obj_range, obj_template=obj_template
        )

    def as_store(self, prefix: str | None = None) -> AISStore:
        """The bucket as a store, with every function of `holdall`, for fsspec, Zarr and the like.

        It shares connections, token and cluster map with the client; a copy that is pickled has the present token.

        Args:
            prefix: below which all operations happen.
        """
        from ..store import AISStore

        namespace = self._namespace.get_path() + "/" if self._namespace else ""
        url = f"{_SCHEMES[self._provider]}://{namespace}{self._name}"
        return AISStore._of(self.client.native, url, self.client.store_config(), prefix)

    def get_many(
        self, names: Iterable[str], *, max_concurrency: int = 32, on_error: OnError = "raise"
    ) -> list[Any]:
        """Read many objects with one call: their contents in the order of the names.

        Args:
            names: of the objects.
            max_concurrency: requests at a time.
            on_error: ``"raise"`` the first one, or ``"return"`` it in the content's place.
        """
        return self.as_store().get_many(
            list(names), max_concurrency=max_concurrency, on_error=on_error
        )

    async def get_many_async(
        self, names: Iterable[str], *, max_concurrency: int = 32, on_error: OnError = "raise"
    ) -> list[Any]:
        """As `get_many`, to be awaited."""
        return await self.as_store().get_many_async(
            list(names), max_concurrency=max_concurrency, on_error=on_error
        )

    def put_many(
        self,
        items: Mapping[str, Any] | Iterable[tuple[str, Any]],
        *,
        max_concurrency: int = 32,
        on_error: OnError = "raise",
    ) -> list[Any]:
        """Write many objects with one call: pairs of name and content, or a dictionary of them."""
        return self.as_store().put_many(items, max_concurrency=max_concurrency, on_error=on_error)

    async def put_many_async(
        self,
        items: Mapping[str, Any] | Iterable[tuple[str, Any]],
        *,
        max_concurrency: int = 32,
        on_error: OnError = "raise",
    ) -> list[Any]:
        """As `put_many`, to be awaited."""
        return await self.as_store().put_many_async(
            items, max_concurrency=max_concurrency, on_error=on_error
        )

    @twin
    def write_dataset(self, config: Any, skip_missing: bool = True, **kwargs: Any) -> Steps[None]:
        """Write a data set as shards in the format of WebDataset.

        Args:
            config: a ``DatasetConfig``.
            skip_missing: leave out samples of which an attribute is missing.
            kwargs: as of ``webdataset.ShardWriter``; see ``DatasetConfig.write_shards``.
        """
        after: Callable[[str], Any] = kwargs.get("post", lambda path: None)

        def put(shard: str) -> None:
            after(shard)
            self.object(shard).get_writer().put_file(shard)
            os.unlink(shard)

        kwargs["post"] = put
        yield blocking(config.write_shards, skip_missing=skip_missing, **kwargs)

    write_dataset_async = write_dataset.later()
