"""Classes on their way to a transformer, and URLs on the way of a result."""

from __future__ import annotations

import base64
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from ...const import QPARAM_ETL_ARGS
from ...errors import InvalidPipelineError
from .base_etl_server import ETLServer


def serialize_class(cls: type[ETLServer], encoding: str = "utf-8") -> str:
    """A server class as text, with all that it needs of its module.

    Raises:
        TypeError: When it is not an `ETLServer`.
        ImportError: When cloudpickle is not installed.
    """
    if not isinstance(cls, type) or not issubclass(cls, ETLServer):
        raise TypeError(f"{cls!r} is not a subclass of ETLServer")
    try:
        import cloudpickle
    except ImportError as error:
        raise ImportError(
            "sending classes to a cluster needs cloudpickle: pip install 'holdall[aistore]'"
        ) from error
    return base64.b64encode(cloudpickle.dumps(cls)).decode(encoding)


def compose_etl_direct_put_url(
    direct_put_url: str, host_target: str, obj_path: str, etl_args: str = ""
) -> str:
    """Where a result goes.

    A URL with a path is that of a target, below the path at which this transformer reaches targets; one without is that
    of the next transformer, which is told the object's path and the arguments.

    Args:
        direct_put_url: The next stage.
        host_target: The URL at which this transformer reaches its target.
        obj_path: The object's path, not percent-encoded.
        etl_args: The request's arguments.
    """
    stage, host = urlsplit(direct_put_url), urlsplit(host_target)
    path = host.path + stage.path if stage.path else quote(obj_path, safe="/@")
    query = stage.query
    if etl_args:
        pairs = parse_qsl(query, keep_blank_values=True)
        kept = [(name, value) for name, value in pairs if name != QPARAM_ETL_ARGS]
        query = urlencode([*kept, (QPARAM_ETL_ARGS, etl_args)])
    return urlunsplit((host.scheme, stage.netloc, path, query, ""))


def parse_etl_pipeline(pipeline_header: str | None) -> tuple[str, str]:
    """The next stage, and the stages after it as one text; both empty when there is none.

    Raises:
        InvalidPipelineError: When a stage is empty.
    """
    if not pipeline_header or not pipeline_header.strip():
        return "", ""
    stages = [stage.strip() for stage in pipeline_header.split(",")]
    if not all(stages):
        raise InvalidPipelineError("Pipeline header contains empty entry")
    first, _, rest = pipeline_header.partition(",")
    return first.strip(), rest.strip()
