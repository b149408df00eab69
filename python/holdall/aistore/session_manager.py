"""How servers are reached: TLS, connections."""

from __future__ import annotations

import os
import warnings
from typing import Any

from . import const
from .utils import parse_bool

Certificate = str | tuple[str, str]


def _env_skip_verify() -> bool:
    value = os.environ.get(const.AIS_SKIP_VERIFY_CRT)
    return parse_bool(os.environ.get(const.AIS_SKIP_VERIFY) if value is None else value)


def _env_client_cert() -> Certificate | None:
    certificate, key = os.environ.get(const.AIS_CLIENT_CRT), os.environ.get(const.AIS_CLIENT_KEY)
    return (certificate, key) if certificate and key else None


def resolve_ssl_config(
    skip_verify: bool = False,
    ca_cert: str | None = None,
    client_cert: Certificate | None = None,
) -> tuple[bool | str, Certificate | None]:
    """What to verify servers with (False, a path, or True for the system's authorities), and what to show them.

    What is not given is taken from the environment.
    """
    client_cert = client_cert or _env_client_cert()
    if skip_verify or _env_skip_verify():
        return False, client_cert
    return ca_cert or os.environ.get(const.AIS_CLIENT_CA) or True, client_cert


class SessionManager:
    """Settings of connections.

    Args:
        retry: repetition of what servers refuse for now; that of the `RetryConfig` counts.
        ca_cert: path of a PEM bundle of authorities; ``AIS_CLIENT_CA`` when it is not given.
        skip_verify: accept any certificate (unsafe); ``AIS_SKIP_VERIFY_CRT`` when it is False.
        client_cert: path of the PEM certificate that is shown, or paths of certificate and key; ``AIS_CRT`` and
            ``AIS_CRT_KEY`` when it is not given.
        max_pool_size: most idle connections that are kept per node.
    """

    def __init__(
        self,
        retry: Any = None,
        ca_cert: str | None = None,
        skip_verify: bool = False,
        client_cert: Certificate | None = None,
        max_pool_size: int = 10,
    ) -> None:
        self._retry = retry
        self._ca_cert = ca_cert
        self._skip_verify = skip_verify or _env_skip_verify()
        if self._skip_verify:
            warnings.warn(
                "certificates of servers are not verified, so anybody may pose as the cluster: "
                "use a certificate that verifies",
                UserWarning,
                stacklevel=2,
            )
        self._client_cert = client_cert or _env_client_cert()
        self._max_pool_size = max_pool_size

    @property
    def retry(self) -> Any:
        """Repetition of what servers refuse for now."""
        return self._retry

    @property
    def ca_cert(self) -> str | None:
        """Path of a PEM bundle of authorities."""
        return self._ca_cert

    @property
    def client_cert(self) -> Certificate | None:
        """What is shown to servers."""
        return self._client_cert

    @property
    def skip_verify(self) -> bool:
        """Whether any certificate is accepted."""
        return self._skip_verify

    @property
    def session(self) -> Any:
        """A session of ``requests`` with these settings, for programs that send requests of their own.

        Raises:
            ImportError: ``requests`` is not installed.
        """
        try:
            import requests
        except ImportError as error:
            raise ImportError(
                "SessionManager.session needs requests: pip install requests"
            ) from error
        session = requests.Session()
        session.verify, session.cert = resolve_ssl_config(
            self._skip_verify, self._ca_cert, self._client_cert
        )
        return session

    def settings(self) -> dict[str, Any]:
        """All of it, for the transport."""
        verify, certificate = resolve_ssl_config(
            self._skip_verify, self._ca_cert, self._client_cert
        )
        found: dict[str, Any] = {
            "skip_verify": verify is False,
            "max_pool_size": int(self._max_pool_size),
        }
        if isinstance(verify, str):
            found["ca_certificate"] = verify
        if isinstance(certificate, str):
            found["client_certificate"] = certificate
        elif certificate:
            found["client_certificate"], found["client_key"] = map(os.fspath, certificate)
        return found
