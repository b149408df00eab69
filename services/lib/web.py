"""One HTTP request to a service on loopback, past any configured proxy."""

import http.client
from collections.abc import Mapping
from dataclasses import dataclass

TIMEOUT_SECONDS = 10


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def expect(self, *statuses: int) -> "Answer":
        """The answer itself if its status is one of these; an `OSError` otherwise."""
        if self.status not in statuses:
            raise OSError(f"status {self.status}, expected {statuses}: {self.body[:500]!r}")
        return self


def request(
    method: str, port: int, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """Sends a request to 127.0.0.1. Every failure, a broken answer included, is an `OSError`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    except http.client.HTTPException as broken:
        raise OSError(f"{method} {path}: {broken!r}") from broken
    finally:
        connection.close()
