"""The AIS server in this process."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from types import TracebackType
from typing import Any, Literal, NamedTuple

from .._holdall import _AisServer, _serve_ais

Path = str | os.PathLike[str]
Settings = Mapping[str, str | bool | float]


@dataclass(frozen=True, kw_only=True)
class Auth:
    """AuthN: users log in, roles say what they may do, and every request needs a token (see ``docs/authn.md``).

    Its representation does not show the password.
    """

    admin: str = "admin"
    """Name of the administrator."""
    password: str | None = field(default=None, repr=False)
    """The administrator's password from this start on. None keeps what is there; at the first start, one is made up:
    `Server.admin_password`."""
    listen: str | None = None
    """Address and port of AuthN; None for the server's."""
    algorithm: Literal["HS256", "RS256"] | None = None
    """What tokens are signed with. None for what was used before, at first HS256."""
    key_file: Path | None = None
    """File with the key: a secret of at least 32 bytes, or a private RSA key in PEM. None for one that is made at the
    first start and kept."""
    token_life: timedelta = timedelta(hours=24)
    """Life of tokens whose login does not say."""
    longest_life: timedelta = timedelta(days=90)
    """Longest life that a login can ask for."""


@dataclass(frozen=True, kw_only=True)
class Transformers:
    """How transformers (ETL) run: programs of clients, on this machine and with this process's rights (see
    ``docs/etl.md``)."""

    python: Path | None = field(default_factory=lambda: sys.executable or None)
    """The Python for classes that clients send: this one. None for the one of the client's version on the ``PATH``."""
    images: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Container images, without tags, and the commands of this machine that stand for them; ``{port}`` in a command is
    where to listen."""
    memory_bytes: int | None = None
    """Most bytes of memory of each process."""
    cpu_seconds: int | None = None
    """Most processor time of each process, which is started anew after it."""
    open_files: int = 4096
    """Most open files of each process."""
    pass_env: Sequence[str] = ()
    """Variables of this process's environment that transformers see, beside the few that programs need."""


class FaultCount(NamedTuple):
    """How often a rule of a plan of faults was met."""

    name: str
    """The rule's name."""
    kind: str
    """``delay``, ``status``, ``cut``, ``wrong-range``, ``bit-flip`` or ``stale-etag``."""
    matched: int
    """Requests that the rule is about."""
    injected: int
    """Faults that happened."""


class Server:
    """A running server; made by `serve`. As a context manager it closes at the end.

    It runs on threads of its own, without the interpreter. A forked child has none of them: there, only the URL is of
    use, as long as the parent serves.
    """

    def __init__(self, server: _AisServer) -> None:
        self._server = server

    @property
    def url(self) -> str:
        """The endpoint for clients, such as ``http://127.0.0.1:41234``."""
        return self._server.url

    @property
    def authn_url(self) -> str | None:
        """Where users log in: the server's URL, or that of AuthN's own port; None where nobody is asked."""
        return self._server.authn_url

    @property
    def admin_password(self) -> str | None:
        """The administrator's password, if this start made it up. It is kept nowhere else."""
        return self._server.admin_password

    def faults(self) -> list[FaultCount]:
        """How often the rules of the plan of faults were met, in their order; empty without a plan."""
        return [FaultCount(*count) for count in self._server.faults()]

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._server.closed

    def close(self) -> None:
        """Stop. Requests that are being answered have ten seconds to end; what was acknowledged is kept."""
        self._server.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<holdall.aistore.Server {self.url}{' (closed)' if self.closed else ''}>"


def _backends(
    backends: Mapping[str, Settings | Sequence[Settings]] | Sequence[str],
) -> list[tuple[str, list[tuple[str, str]]]]:
    """The backends by name, each with its settings as text."""
    if isinstance(backends, Mapping):
        found: list[tuple[str, list[tuple[str, str]]]] = []
        for name, settings in backends.items():
            each = [settings] if isinstance(settings, Mapping) else settings
            if isinstance(each, str) or not isinstance(each, Sequence):
                raise TypeError(
                    f"backends: the settings of {name!r} must be a mapping, or a list of mappings,"
                    f" not {type(settings).__name__}"
                )
            found.extend((name, _settings(name, one)) for one in each)
        return found
    if isinstance(backends, str):
        raise TypeError(f"backends must be a mapping or a sequence: write [{backends!r}]")
    texts = list(backends)
    for text in texts:
        if not isinstance(text, str):
            raise TypeError(
                f"backends: each must be a text, not {type(text).__name__};"
                ' settings are a mapping by name: {"aws": {"region": "us-east-1"}}'
            )
    return [(text, []) for text in texts]


def _settings(name: str, settings: Settings) -> list[tuple[str, str]]:
    if not isinstance(settings, Mapping):
        raise TypeError(
            f"backends: the settings of {name!r} must be a mapping, not {type(settings).__name__}"
        )
    found: list[tuple[str, str]] = []
    for key, value in settings.items():
        if isinstance(value, bool):
            found.append((key, str(value).lower()))
        elif isinstance(value, str | int | float):
            found.append((key, str(value)))
        else:
            # The value may be secret.
            raise TypeError(
                f"backends: the setting {key!r} of {name!r} must be a text, a number or a bool,"
                f" not {type(value).__name__}"
            )
    return found


def serve(
    path: Path | None = None,
    *,
    listen: str = "127.0.0.1:0",
    fsync: Literal["always", "commit", "never"] = "commit",
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    public_host: str | None = None,
    max_connections: int = 4096,
    promote_root: Path = "/var/lib/ais/promote",
    s3_keys: Mapping[str, str] | None = None,
    auth: Auth | bool = False,
    faults: Path | Mapping[str, Any] | None = None,
    allow_etl: Transformers | bool = False,
    backends: Mapping[str, Settings | Sequence[Settings]] | Sequence[str] = (),
    cache_size: int | None = None,
) -> Server:
    """Start a server for AIStore's API in this process. It answers when this returns.

    Args:
        path: Folder for everything; it is made if it is not there, and belongs to one server at a time. None keeps
            everything in memory, gone with the server.
        listen: Address and port; port 0 takes a free one. Without `auth`, any address but loopback lets everybody who
            reaches it read and write.
        fsync: What survives a loss of power. ``always``: all that was acknowledged. ``commit``: names and properties
            that were acknowledged, and contents once the system has written them, within half a minute; a content
            that was lost is reported when it is read. ``never``: perhaps nothing. A killed process loses nothing
            acknowledged in any mode.
        tls_cert: Certificate chain, a PEM file, to serve HTTPS.
        tls_key: The certificate's key, a PEM file.
        public_host: Host that clients reach the server by, where it is not the address.
        max_connections: Most connections at once; more wait.
        promote_root: Folder of this machine whose files clients may promote to objects.
        s3_keys: Access keys and their secrets, one of which requests to ``/s3`` must be signed with. Without any,
            every signature is accepted.
        auth: Ask everybody who they are, and for permissions. True makes up a password for the administrator at the
            first start.
        faults: What goes wrong on purpose, for tests of clients (see ``docs/faults.md``): a file in TOML, or in JSON
            if its name ends in ``.json``; or the same as a dictionary.
        allow_etl: Let clients start transformers, which are programs on this machine that run with this process's
            rights: whoever may make an ETL may do what this process may do.
        backends: Providers whose buckets may be used, with their settings:
            ``{"aws": {"endpoint": "http://localhost:9000", "region": "us-east-1"}, "gcp": {}}``. The names are
            ``"aws"``, ``"gcp"``, ``"azure"``, ``"ht"``, and ``"ais"`` for another cluster, whose settings have an
            ``alias`` and an ``endpoint``; a list of settings names several clusters. What settings do not say is
            looked up in the environment. A sequence of texts does as well, written as for the command:
            ``["aws,endpoint=http://localhost:9000", "ais,alias=west,endpoint=http://west:8080"]``.
        cache_size: Most bytes of copies of what backends have; what was read longest ago goes first. Without it,
            90 % of the disk.

    Raises:
        OSError: When the folder, the address or the certificate cannot be used.
        TypeError: When an argument is of another kind.
        ValueError: When an argument cannot be, a backend does not know one of its settings, or the plan of faults says
            something that cannot be meant.
    """
    if isinstance(auth, bool):
        auth_or_none = Auth() if auth else None
    elif isinstance(auth, Auth):
        auth_or_none = auth
    else:
        raise TypeError(f"auth must be a bool or an Auth, not {type(auth).__name__}")
    if isinstance(allow_etl, bool):
        transformers = Transformers() if allow_etl else None
    elif isinstance(allow_etl, Transformers):
        transformers = allow_etl
    else:
        raise TypeError(f"allow_etl must be a bool or Transformers, not {type(allow_etl).__name__}")
    faults_file, faults_json = None, None
    if isinstance(faults, Mapping):
        faults_json = json.dumps(dict(faults))
    else:
        faults_file = faults
    return Server(
        _serve_ais(
            path,
            listen,
            fsync,
            tls_cert,
            tls_key,
            public_host,
            max_connections,
            promote_root,
            dict(s3_keys or {}),
            auth_or_none,
            faults_file,
            faults_json,
            transformers,
            _backends(backends),
            cache_size,
        )
    )
