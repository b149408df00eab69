"""Operations on many objects."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from .. import const
from .._earlier import etl_of
from .._twin import Steps, inner, twin
from ..ais_source import AISSource
from ..types import (
    ArchiveMultiObj,
    CopyBckMsg,
    PrefetchMsg,
    TCBckMsg,
    TCMultiObj,
    TransformBckMsg,
)
from .object_collection import ObjectCollection
from .object_names import ObjectNames
from .object_range import ObjectRange
from .object_template import ObjectTemplate

if TYPE_CHECKING:
    from ..bucket import Bucket
    from ..obj.object import Object
    from ..request_client import RequestClient

_TIMEOUT = "5m"

logger = logging.getLogger(__name__)


def _ids(text: str) -> list[str]:
    return text.split(",") if text else []


class ObjectGroup(AISSource):
    """Objects of a bucket: by names, by a range of numbers, or by a template. Give one of the three.

    Args:
        bck: the bucket.
        obj_names: names.
        obj_range: a range of numbers.
        obj_template: a template.

    Raises:
        ValueError: none of the three, or more than one; of an empty one when it is used.
        TypeError: `obj_range` is no `ObjectRange`.
    """

    def __init__(
        self,
        bck: Bucket,
        obj_names: list[str] | None = None,
        obj_range: ObjectRange | None = None,
        obj_template: str | None = None,
    ) -> None:
        self.bck = bck
        if sum(given is not None for given in (obj_names, obj_range, obj_template)) != 1:
            raise ValueError(
                "ObjectGroup accepts one and only one of: obj_names, obj_range, or obj_template"
            )
        self._collection: ObjectCollection | None = None
        if obj_range is not None:
            if not isinstance(obj_range, ObjectRange):
                raise TypeError("obj_range must be of type ObjectRange")
            self._collection = obj_range
        elif obj_names:
            self._collection = ObjectNames(obj_names)
        elif obj_template:
            self._collection = ObjectTemplate(obj_template)

    @property
    def _obj_collection(self) -> ObjectCollection:
        # An empty list of names is refused when it is used: earlier generations took it so far.
        if self._collection is None:
            raise ValueError("Object selection must not be empty")
        return self._collection

    @property
    def client(self) -> RequestClient:
        """Sends the requests."""
        return self.bck.client

    @client.setter
    def client(self, client: RequestClient) -> None:
        self.bck.client = client

    def list_urls(
        self, prefix: str = "", etl: Any = None, *, etl_name: str | None = None
    ) -> Iterable[str]:
        """The URLs of the objects; `etl` transforms them. The prefix is not looked at, as ever."""
        etl = etl_of(etl, etl_name, "list_urls") if etl is not None or etl_name else None
        return (self.bck.object(name).get_url(etl=etl) for name in self._obj_collection)

    def list_all_objects_iter(
        self, prefix: str = "", props: str | None = "name,size"
    ) -> Iterator[Object]:
        """The objects with the prefix; each is asked for `props`, unless they are None."""
        for name in self._obj_collection:
            if name.startswith(prefix):
                found = self.bck.object(name)
                if props is not None:
                    found.head(props)
                yield found

    def list_names(self) -> list[str]:
        """The names."""
        return list(self._obj_collection)

    def _job(self, method: str, act: str, value: Any) -> Steps[str]:
        response = yield from inner(self.bck.make_request, method, act, value=value)
        return response.text

    @twin
    def delete(self) -> Steps[str]:
        """Delete them; the id of the job."""
        value = self._obj_collection.get_value()
        return (yield from self._job(const.HTTP_METHOD_DELETE, const.ACT_DELETE_OBJECTS, value))

    delete_async = delete.later()

    @twin
    def evict(self) -> Steps[str]:
        """Remove what the cluster holds of them; the id of the job.

        Raises:
            InvalidBckProvider: the bucket is not a cloud's.
        """
        self.bck.verify_cloud_bucket()
        value = self._obj_collection.get_value()
        return (yield from self._job(const.HTTP_METHOD_DELETE, const.ACT_EVICT_OBJECTS, value))

    evict_async = evict.later()

    @twin
    def prefetch(
        self,
        blob_threshold: int | None = None,
        num_workers: int | None = None,
        latest: bool = False,
        continue_on_error: bool = False,
    ) -> Steps[str]:
        """Fetch them to the cluster; the id of the job.

        Args:
            blob_threshold: objects of more bytes are fetched in chunks.
            num_workers: objects that are fetched at a time, per target.
            latest: whether the cluster compares with the cloud first.
            continue_on_error: go on with the others when one fails.

        Raises:
            InvalidBckProvider: the bucket is not a cloud's.
        """
        self.bck.verify_cloud_bucket()
        value = PrefetchMsg(
            object_selection=self._obj_collection.get_value(),
            continue_on_err=continue_on_error,
            latest=latest,
            blob_threshold=blob_threshold,
            num_workers=num_workers,
        ).as_dict()
        return (yield from self._job(const.HTTP_METHOD_POST, const.ACT_PREFETCH_OBJECTS, value))

    prefetch_async = prefetch.later()

    def _many(
        self,
        to_bck: Bucket,
        message: TCBckMsg,
        continue_on_error: bool,
        num_workers: int | None,
    ) -> dict[str, Any]:
        return TCMultiObj(
            to_bck=to_bck.as_model(),
            tc_msg=message,
            object_selection=self._obj_collection.get_value(),
            continue_on_err=continue_on_error,
            num_workers=num_workers,
        ).as_dict()

    @twin
    def copy(
        self,
        to_bck: Bucket,
        prepend: str = "",
        continue_on_error: bool = False,
        dry_run: bool = False,
        force: bool = False,
        latest: bool = False,
        sync: bool = False,
        num_workers: int | None = None,
    ) -> Steps[list[str]]:
        """Copy them to another bucket, which is made when it is missing; the ids of the jobs.

        Args:
            to_bck: the other bucket.
            prepend: what is put before their names.
            continue_on_error: go on with the others when one fails.
            dry_run: count and change nothing.
            force: even if another job is in the way.
            latest: whether the cluster compares with the cloud first.
            sync: the same, and what is gone there goes here.
            num_workers: objects that are copied at a time, per target.
        """
        message = CopyBckMsg(
            prepend=prepend, dry_run=dry_run, force=force, latest=latest, sync=sync
        )
        if dry_run:
            logger.info("dry run: nothing is copied to %s", to_bck.get_path())
        value = self._many(to_bck, TCBckMsg(copy_msg=message), continue_on_error, num_workers)
        text = yield from self._job(const.HTTP_METHOD_POST, const.ACT_COPY_OBJECTS, value)
        return _ids(text)

    copy_async = copy.later()

    @twin
    def transform(
        self,
        to_bck: Bucket,
        etl_name: str,
        timeout: str = _TIMEOUT,
        prepend: str = "",
        ext: dict[str, str] | None = None,
        continue_on_error: bool = False,
        dry_run: bool = False,
        force: bool = False,
        latest: bool = False,
        sync: bool = False,
        num_workers: int | None = None,
        etl_pipeline: list[str] | None = None,
    ) -> Steps[str]:
        """Transform them into another bucket; the id of the job.

        Args:
            to_bck: the other bucket.
            etl_name: the transformer.
            timeout: of the transformation of one object, like ``5m``.
            prepend: what is put before their names.
            ext: new endings of names, by old ones.
            continue_on_error: go on with the others when one fails.
            dry_run: transform, and keep nothing.
            force: even if another job is in the way.
            latest: whether the cluster compares with the cloud first.
            sync: the same, and what is gone there goes here.
            num_workers: objects that are transformed at a time, per target.
            etl_pipeline: transformers that follow.
        """
        message = TCBckMsg(
            ext=ext,
            transform_msg=TransformBckMsg(
                etl_name=etl_name, timeout=timeout, etl_pipeline=etl_pipeline
            ),
            copy_msg=CopyBckMsg(
                prepend=prepend, dry_run=dry_run, force=force, latest=latest, sync=sync
            ),
        )
        if dry_run:
            logger.info("dry run: nothing of %s is kept", etl_name)
        value = self._many(to_bck, message, continue_on_error, num_workers)
        return (yield from self._job(const.HTTP_METHOD_POST, const.ACT_TRANSFORM_OBJECTS, value))

    transform_async = transform.later()

    @twin
    def inspect(
        self,
        etl_name: str,
        timeout: str = _TIMEOUT,
        latest: bool = False,
        num_workers: int | None = None,
        etl_pipeline: list[str] | None = None,
    ) -> Steps[str]:
        """Transform them and keep nothing: what fails is told by ``Etl.view(job_id)``; the id of the job."""
        return (
            yield from inner(
                self.transform,
                to_bck=self.bck,
                etl_name=etl_name,
                timeout=timeout,
                continue_on_error=True,
                dry_run=True,
                latest=latest,
                num_workers=num_workers,
                etl_pipeline=etl_pipeline,
            )
        )

    inspect_async = inspect.later()

    @twin
    def archive(
        self,
        archive_name: str,
        mime: str = "",
        to_bck: Bucket | None = None,
        include_source_name: bool = False,
        allow_append: bool = False,
        continue_on_err: bool = False,
    ) -> Steps[list[str]]:
        """Make an archive of them; the ids of the jobs.

        Args:
            archive_name: the archive's name, whose ending tells its kind.
            mime: its kind: ``.tar``, ``.tgz``, ``.tar.gz``, ``.zip``, ``.tar.lz4``.
            to_bck: its bucket; theirs by default.
            include_source_name: put the bucket's name before theirs.
            allow_append: append to an archive that is there.
            continue_on_err: go on with the others when one fails.
        """
        value = ArchiveMultiObj(
            object_selection=self._obj_collection.get_value(),
            archive_name=archive_name,
            mime=mime,
            to_bck=(to_bck or self.bck).as_model(),
            include_source_name=include_source_name,
            allow_append=allow_append,
            continue_on_err=continue_on_err,
        ).as_dict()
        text = yield from self._job(const.HTTP_METHOD_PUT, const.ACT_ARCHIVE_OBJECTS, value)
        return _ids(text)

    archive_async = archive.later()
