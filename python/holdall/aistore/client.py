"""The client: where everything begins."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

from . import const
from ._earlier import warn
from .bucket import Bucket
from .cluster import Cluster
from .enums import Colocation
from .errors import InvalidURLException
from .job import Job
from .namespace import Namespace
from .obj.object import Object
from .provider import Provider
from .request_client import RequestClient, Timeout
from .retry_config import RetryConfig
from .session_manager import Certificate, SessionManager
from .utils import parse_url

if TYPE_CHECKING:
    from .batch.batch import Batch
    from .dsort.core import Dsort
    from .etl.etl import Etl


def _number(name: str, default: float) -> float:
    text = os.environ.get(name)
    if not text:
        return default
    try:
        return float(text)
    except ValueError:
        warnings.warn(f"{name}={text!r} is no number: {default} is used", UserWarning, stacklevel=4)
        return default


def _timeout(given: Timeout) -> Timeout:
    """The time-outs to connect and of silence: those given, the environment's, or the defaults; 0 is no limit."""
    if given is None:
        pair: tuple[float | None, float | None] = (
            _number(const.AIS_CONNECT_TIMEOUT, Client._DEFAULT_CONNECT_TIMEOUT),
            _number(const.AIS_READ_TIMEOUT, Client._DEFAULT_READ_TIMEOUT),
        )
    elif isinstance(given, tuple):
        pair = given
    else:
        return given or None
    connect, read = (limit or None for limit in pair)
    return None if connect is None and read is None else (connect, read)


class Client:
    """A client of a cluster. No request is made before something is asked for.

    Args:
        endpoint: URL of the cluster, like ``http://localhost:8080``.
        skip_verify: accept any certificate: unsafe. ``AIS_SKIP_VERIFY_CRT`` when it is False.
        ca_cert: path of a PEM bundle of authorities; ``AIS_CLIENT_CA`` when it is not given.
        client_cert: path of the PEM certificate to show, or paths of certificate and key; ``AIS_CRT`` and
            ``AIS_CRT_KEY`` when it is not given.
        timeout: seconds to connect and of silence, as one number or two; 0 for no limit. ``AIS_CONNECT_TIMEOUT`` and
            ``AIS_READ_TIMEOUT`` when it is not given, else 3 and 20.
        retry_config: how failed requests are repeated.
        token: shown to nodes of the cluster, and nobody else; ``AIS_AUTHN_TOKEN`` when it is not given.
        max_pool_size: idle connections that are kept per node; ``AIS_MAX_CONN_POOL`` when it is not given, else 10.
        retry: deprecated, `retry_config`: a ``urllib3.Retry``.
    """

    _DEFAULT_CONNECT_TIMEOUT = 3
    _DEFAULT_READ_TIMEOUT = 20
    _DEFAULT_MAX_POOL_SIZE = 10

    def __init__(
        self,
        endpoint: str,
        skip_verify: bool = False,
        ca_cert: str | None = None,
        client_cert: Certificate | None = None,
        timeout: Timeout = None,
        retry_config: RetryConfig | None = None,
        token: str | None = None,
        max_pool_size: int | None = None,
        *,
        retry: Any = None,
    ) -> None:
        if retry is not None:
            warn("Client(retry=…)", "Client(retry_config=RetryConfig(http_retry=…))")
            retry_config = retry_config or RetryConfig(http_retry=retry)
        elif retry_config is not None and not hasattr(retry_config, "http_retry"):
            # In this place stood `retry` until 1.13.
            warn("Client(…, retry)", "Client(…, retry_config=RetryConfig(http_retry=…))")
            retry_config = RetryConfig(http_retry=retry_config)
        self.retry_config = retry_config or RetryConfig.default()
        if max_pool_size is None:
            most = self._DEFAULT_MAX_POOL_SIZE
            max_pool_size = int(_number(const.AIS_MAX_CONN_POOL, most))
        sessions = SessionManager(
            retry=self.retry_config.http_retry,
            ca_cert=ca_cert,
            client_cert=client_cert,
            skip_verify=skip_verify,
            max_pool_size=max_pool_size,
        )
        self._request_client = RequestClient(
            endpoint=endpoint,
            session_manager=sessions,
            timeout=_timeout(timeout),
            token=token or os.environ.get(const.AIS_AUTHN_TOKEN),
            retry_config=self.retry_config,
        )

    def __repr__(self) -> str:
        return f"<Client {self._request_client.base_url.removesuffix('/v1')}>"

    def bucket(
        self,
        bck_name: str,
        provider: Provider | str = Provider.AIS,
        namespace: Namespace | None = None,
    ) -> Bucket:
        """A bucket.

        Args:
            bck_name: its name.
            provider: where it is: ``ais``, or a cloud (``aws``, ``gcp``, ``azure``, ``oci``).
            namespace: its namespace; the global one by default.

        Raises:
            InvalidBckProvider: there is no such provider.
        """
        return Bucket(bck_name, self._request_client, provider, namespace)

    def cluster(self) -> Cluster:
        """The cluster."""
        return Cluster(client=self._request_client)

    def job(self, job_id: str | list[str] = "", job_kind: str = "") -> Job:
        """A job.

        Args:
            job_id: its id. `ObjectGroup.copy` returns a list of ids; one with a single id is taken, too.
            job_kind: its kind; all kinds when it is empty.
        """
        if isinstance(job_id, list):
            if len(job_id) != 1:
                raise ValueError(f"a job has one id, not {len(job_id)}: take them one by one")
            (job_id,) = job_id
        return Job(client=self._request_client, job_id=job_id, job_kind=job_kind)

    def etl(self, etl_name: str) -> Etl:
        """A transformer."""
        from .etl.etl import Etl

        return Etl(client=self._request_client, name=etl_name)

    def dsort(self, dsort_id: str = "") -> Dsort:
        """A dSort job; the id is empty for one that is to be started."""
        from .dsort.core import Dsort

        return Dsort(client=self._request_client, dsort_id=dsort_id)

    def get_object_from_url(self, url: str) -> Object:
        """The object of a URL like ``ais://bucket/name``.

        Raises:
            InvalidURLException: a part is missing.
            InvalidBckProvider: there is no such provider.
        """
        provider, bucket, name = parse_url(url)
        if not (provider and bucket and name):
            raise InvalidURLException(url)
        return self.bucket(bucket, provider=provider).object(name)

    def fetch_object_by_url(self, url: str) -> Object:
        """The same as `get_object_from_url`. Deprecated."""
        warn("Client.fetch_object_by_url", "Client.get_object_from_url")
        return self.get_object_from_url(url)

    def batch(
        self,
        objects: Any = None,
        bucket: Bucket | None = None,
        output_format: str = const.EXT_TAR,
        cont_on_err: bool = True,
        only_obj_name: bool = False,
        streaming_get: bool = True,
        colocation: Colocation = Colocation.NONE,
    ) -> Batch:
        """Many objects, members of archives or ranges of objects, read with one request.

        Args:
            objects: names or `Object` s, one or several; more can be added.
            bucket: theirs, where they have none.
            output_format: kind of the archive that carries them: ``.tar``, ``.tgz``, ``.zip``, ``.tar.lz4``.
            cont_on_err: go on with the others when one fails.
            only_obj_name: name members of the archive without the bucket.
            streaming_get: begin to send before all are read.
            colocation: what is known of where they are.

        Raises:
            NotImplementedError: ``Colocation.TARGET_AND_SHARD_AWARE``.
        """
        from .batch.batch import Batch

        return Batch(
            self._request_client,
            objects,
            bucket,
            output_format,
            cont_on_err,
            only_obj_name,
            streaming_get,
            colocation,
        )
