"""The URL class of messages and clients: yarl's where it is installed, a small look-alike elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from yarl import URL
else:
    try:
        from yarl import URL
    except ImportError:

        class URL(str):
            """A URL: its text, and the parts of it that clients ask for."""

            __slots__ = ()

            def __new__(cls, value: Any = "", *, encoded: bool = False) -> URL:
                del encoded
                return super().__new__(cls, value)

            @property
            def scheme(self) -> str:
                return urlsplit(self).scheme

            @property
            def host(self) -> str | None:
                return urlsplit(self).hostname

            @property
            def path(self) -> str:
                return unquote(urlsplit(self).path)

            @property
            def query(self) -> dict[str, str]:
                return dict(parse_qsl(urlsplit(self).query, keep_blank_values=True))

            @property
            def name(self) -> str:
                return self.path.rpartition("/")[2]


__all__ = ["URL", "url_of"]


def url_of(href: str) -> URL:
    """Return the URL of an href, which is not encoded a second time."""
    try:
        return URL(href, encoded="%" in href)
    except ValueError:
        return URL(href)
