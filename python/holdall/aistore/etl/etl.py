"""ETLs."""

from __future__ import annotations

import base64
import logging
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .._earlier import warn
from .._twin import Steps, twin
from ..const import (
    HTTP_METHOD_DELETE,
    HTTP_METHOD_GET,
    HTTP_METHOD_POST,
    HTTP_METHOD_PUT,
    QPARAM_UUID,
    URL_PATH_ETL,
)
from ..errors import AISError, ErrETLNotFound
from ..types import EnvVar, ETLDetails, ETLNodeLogs, ETLRuntimeSpec, ETLSpecMsg
from ..utils import convert_to_seconds
from .etl_const import (
    DEFAULT_ETL_COMM,
    DEFAULT_ETL_OBJ_TIMEOUT,
    DEFAULT_ETL_TIMEOUT,
    ETL_COMM_OPTIONS,
    ETL_SUPPORTED_PYTHON_VERSIONS,
)

if TYPE_CHECKING:
    from ..request_client import RequestClient
    from .webserver.base_etl_server import ETLServer

logger = logging.getLogger(__name__)

_SHORTEST, _LONGEST = 6, 32
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])")


def _runtime() -> str:
    """The version of this interpreter, which the transformer must have as well."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if version not in ETL_SUPPORTED_PYTHON_VERSIONS:
        supported = ", ".join(ETL_SUPPORTED_PYTHON_VERSIONS)
        raise ValueError(f"Unsupported Python version {version}; supported: {supported}")
    return version


class Etl:
    """An ETL, by its name. ``a >> b`` is a pipeline; as a context manager it stops and deletes the ETL at the end.

    Args:
        client: The client that sends the requests.
        name: 6 to 32 lower-case letters, digits and hyphens, no hyphen at either end.

    Raises:
        ValueError: For another name.
    """

    def __init__(self, client: RequestClient, name: str) -> None:
        self.validate_etl_name(name)
        self._client = client
        self._name = name
        self._pipeline: list[str] = []

    def __rshift__(self, other: Etl) -> Etl:
        combined = Etl(self._client, self._name)
        combined._pipeline = [*self._pipeline, other._name, *other._pipeline]
        return combined

    def __enter__(self) -> Etl:
        return self

    def __exit__(self, *exception: object) -> None:
        # What is stopped already is as it should be, and is deleted all the same.
        with suppress(AISError):
            self.stop()
        try:
            self.delete()
        except AISError as error:
            self._tell_undeleted(error)

    async def __aenter__(self) -> Etl:
        return self

    async def __aexit__(self, *exception: object) -> None:
        with suppress(AISError):
            await self.stop_async()
        try:
            await self.delete_async()
        except AISError as error:
            self._tell_undeleted(error)

    def _tell_undeleted(self, error: AISError) -> None:
        # Not raised: what the block itself raised says more.
        if not isinstance(error, ErrETLNotFound):
            logger.warning("the ETL %s could not be deleted: %s", self._name, error)

    def __repr__(self) -> str:
        return f"Etl({' >> '.join([self._name, *self._pipeline])})"

    @property
    def name(self) -> str:
        """The name; of a pipeline, that of its first stage."""
        return self._name

    @property
    def pipeline(self) -> list[str]:
        """Names of the stages after the first."""
        return self._pipeline

    @twin
    def init(
        self,
        image: str,
        command: list[str] | str | None = None,
        comm_type: str = DEFAULT_ETL_COMM,
        init_timeout: str = DEFAULT_ETL_TIMEOUT,
        obj_timeout: str = DEFAULT_ETL_OBJ_TIMEOUT,
        direct_put: bool = False,
        direct_file_access: bool = False,
        **kwargs: Any,
    ) -> Steps[str]:
        """Start a new ETL from an image.

        Args:
            image: The image of its containers.
            command: What they run, if not what the image says.
            comm_type: How content gets to the transformer: ``hpush``, ``hpull`` or ``ws``.
            init_timeout: How long to wait until it answers, such as ``5m``.
            obj_timeout: How long one object may take, such as ``45s``.
            direct_put: Whether the transformer delivers results of offline transforms itself.
            direct_file_access: Whether the transformer reads the target's file instead of a body; with ``hpush``.
            **kwargs: Environment variables of the transformer.

        Returns:
            The id of the ETL's job.

        Raises:
            ValueError: For another way of communication.
            ErrETLAlreadyExists: When there is an ETL of that name.
        """
        if comm_type not in ETL_COMM_OPTIONS:
            raise ValueError(f"communication_type should be one of: {', '.join(ETL_COMM_OPTIONS)}")
        variables = [EnvVar(name=name, value=str(value)) for name, value in kwargs.items()]
        if direct_file_access:
            variables.append(EnvVar(name="ETL_DIRECT_FQN", value="true"))
        message = ETLSpecMsg(
            name=self._name,
            comm_type=comm_type,
            init_timeout=init_timeout,
            obj_timeout=obj_timeout,
            direct_put=direct_put,
            runtime=ETLRuntimeSpec(
                image=image,
                command=command.split() if isinstance(command, str) else command,
                env=variables or None,
            ),
        )
        response = yield self._client.ask(
            HTTP_METHOD_PUT,
            path=URL_PATH_ETL,
            timeout=convert_to_seconds(init_timeout),
            json=message.as_dict(),
        )
        return str(response.text)

    init_async = init.later()

    def init_class(
        self,
        *,
        dependencies: list[str] | None = None,
        os_packages: list[str] | None = None,
        comm_type: str = DEFAULT_ETL_COMM,
        init_timeout: str = DEFAULT_ETL_TIMEOUT,
        obj_timeout: str = DEFAULT_ETL_OBJ_TIMEOUT,
        direct_put: bool = True,
        direct_file_access: bool = False,
        **kwargs: Any,
    ) -> Callable[[type[ETLServer]], type[ETLServer]]:
        """Start a new ETL from a class: a decorator for classes over the bases in `holdall.aistore.etl.webserver`.

        Args:
            dependencies: Packages of Python that the class needs.
            os_packages: Packages of the system that it needs.
            comm_type: As of `init`.
            init_timeout: As of `init`.
            obj_timeout: As of `init`.
            direct_put: As of `init`.
            direct_file_access: As of `init`. ``transform`` then gets a path (``str``) where it is the first stage;
                later stages get ``bytes``.
            **kwargs: Environment variables of the transformer; ``NUM_WORKERS`` is how many processes it has.

        Raises:
            TypeError: When the class is not an `ETLServer`.
        """

        def decorate(cls: type[ETLServer]) -> type[ETLServer]:
            self._start_class(
                cls,
                dependencies,
                os_packages,
                comm_type=comm_type,
                init_timeout=init_timeout,
                obj_timeout=obj_timeout,
                direct_put=direct_put,
                direct_file_access=direct_file_access,
                **kwargs,
            )
            return cls

        return decorate

    def _start_class(
        self,
        cls: type[ETLServer],
        dependencies: list[str] | None = None,
        os_packages: list[str] | None = None,
        **options: Any,
    ) -> str:
        image, variables = self._of_class(cls, dependencies, os_packages)
        return self.init(image=image, **{**variables, **options})

    @staticmethod
    def _of_class(
        cls: type[ETLServer], dependencies: list[str] | None, os_packages: list[str] | None
    ) -> tuple[str, dict[str, str]]:
        """The image that runs a class, and its environment."""
        from .webserver.utils import serialize_class

        variables = {"ETL_CLASS_PAYLOAD": serialize_class(cls)}
        if dependencies:
            variables["PACKAGES"] = ",".join(dependencies)
        if os_packages:
            variables["OS_PACKAGES"] = ",".join(os_packages)
        return f"aistorage/runtime_python:{_runtime()}", variables

    async def init_class_async(
        self,
        cls: type[ETLServer],
        *,
        dependencies: list[str] | None = None,
        os_packages: list[str] | None = None,
        direct_put: bool = True,
        **options: Any,
    ) -> str:
        """As `init_class`, to be awaited: a call in place of a decorator; the id of the ETL's job.

        Args:
            cls: The class.
            dependencies: As of `init_class`.
            os_packages: As of `init_class`.
            direct_put: As of `init`.
            **options: As of `init_class`.

        Raises:
            TypeError: When the class is not an `ETLServer`.
        """
        image, variables = self._of_class(cls, dependencies, os_packages)
        options = {**variables, **options}
        return await self.init_async(image=image, direct_put=direct_put, **options)

    def init_spec(
        self,
        template: str,
        communication_type: str = DEFAULT_ETL_COMM,
        init_timeout: str = DEFAULT_ETL_TIMEOUT,
        obj_timeout: str = DEFAULT_ETL_OBJ_TIMEOUT,
        *,
        timeout: str | None = None,
        arg_type: str = "",
    ) -> str:
        """Start a new ETL from a Kubernetes pod. Deprecated: use `init` with the pod's image.

        Image, command and environment of the pod's first container are used; clusters make the pods themselves.

        Args:
            template: The pod, as YAML.
            communication_type: As ``comm_type`` of `init`.
            init_timeout: As of `init`.
            obj_timeout: As of `init`.
            timeout: The older name of ``init_timeout``.
            arg_type: Refused: transformers get paths by ``init(direct_file_access=True)`` today.

        Raises:
            ValueError: When the template has no container, for ``arg_type``, and as `init`.
        """
        warn("Etl.init_spec", "Etl.init")
        if arg_type:
            raise ValueError("arg_type is gone from AIStore: use Etl.init(direct_file_access=True)")
        container = _container(template, communication_type)
        return self.init(
            image=container["image"],
            command=container.get("command"),
            comm_type=communication_type,
            init_timeout=timeout or init_timeout,
            obj_timeout=obj_timeout,
            **{v["name"]: v.get("value", "") for v in container.get("env") or []},
        )

    def init_code(
        self,
        transform: Callable[[Any], bytes],
        dependencies: list[str] | None = None,
        preimported_modules: list[str] | None = None,
        runtime: str | None = None,
        communication_type: str = DEFAULT_ETL_COMM,
        timeout: str = DEFAULT_ETL_TIMEOUT,
        chunk_size: int | None = None,
        arg_type: str = "",
    ) -> str:
        """Start a new ETL from a function of bytes to bytes. Deprecated: use `init_class`.

        The function becomes the ``transform`` of a server class.

        Raises:
            ValueError: For ``chunk_size`` and ``arg_type``, which AIStore has no more.
        """
        warn("Etl.init_code", "Etl.init_class")
        if chunk_size or arg_type or (runtime and _runtime() not in runtime):
            raise ValueError(
                "chunk_size, arg_type and other runtimes than this interpreter's are gone from AIStore: use "
                "init_class with transform_stream"
            )
        from ._function import server_class

        return self._start_class(
            server_class(transform, preimported_modules or []),
            dependencies,
            comm_type=communication_type,
            init_timeout=timeout,
        )

    @twin
    def view(self, job_id: str = "") -> Steps[ETLDetails]:
        """How it was made, and which objects it could not transform: inline, or in the offline job given.

        Raises:
            ErrETLNotFound: When there is none of that name.
        """
        return (
            yield self._client.ask_model(
                HTTP_METHOD_GET,
                path=f"{URL_PATH_ETL}/{self._name}",
                params={QPARAM_UUID: job_id},
                res_model=ETLDetails,
            )
        )

    view_async = view.later()

    @twin
    def start(self) -> Steps[None]:
        """Start it again after it was stopped."""
        yield from self._manage(HTTP_METHOD_POST, "/start")

    start_async = start.later()

    @twin
    def stop(self) -> Steps[None]:
        """Stop it, and every transform that uses it. It can be started again."""
        yield from self._manage(HTTP_METHOD_POST, "/stop")

    stop_async = stop.later()

    @twin
    def delete(self) -> Steps[None]:
        """Delete it."""
        yield from self._manage(HTTP_METHOD_DELETE, "")

    delete_async = delete.later()

    @twin
    def logs(self, target_id: str = "") -> Steps[list[ETLNodeLogs]]:
        """What the transformers printed, of all targets or of one.

        Raises:
            ErrETLNotFound: When there is none of that name.
        """
        path = f"{URL_PATH_ETL}/{self._name}/logs"
        entries = yield self._client.ask_model(
            HTTP_METHOD_GET,
            path=f"{path}/{target_id}" if target_id else path,
            res_model=list[ETLNodeLogs],
            timeout=convert_to_seconds(DEFAULT_ETL_TIMEOUT),
        )
        for entry in entries:
            entry.logs = base64.b64decode(entry.logs).decode(errors="replace")
        return list(entries)

    logs_async = logs.later()

    def _manage(self, method: str, below: str) -> Steps[None]:
        yield self._client.ask(
            method,
            path=f"{URL_PATH_ETL}/{self._name}{below}",
            timeout=convert_to_seconds(DEFAULT_ETL_TIMEOUT),
        )

    @staticmethod
    def validate_etl_name(name: str) -> None:
        """Refuse a name that no ETL can have.

        Raises:
            ValueError: Says why.
        """
        if len(name) < _SHORTEST:
            raise ValueError(f"ETL name '{name}' is too short")
        if len(name) > _LONGEST:
            raise ValueError(f"ETL name '{name}' is too long")
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"ETL name '{name}' is invalid: must start/end with a lowercase letter/number, and can only contain "
                "[a-z0-9-]"
            )


def _container(template: str, communication_type: str) -> dict[str, Any]:
    try:
        import yaml
    except ImportError as error:
        raise ImportError(
            "reading pods needs PyYAML: pip install 'holdall[aistore]', or use Etl.init"
        ) from error
    text = template.replace("{communication_type}", communication_type).replace("{arg_type}", "")
    try:
        return dict(yaml.safe_load(text)["spec"]["containers"][0])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ValueError("the template has no spec.containers with an image") from error
