"""The URL class of messages and clients: yarl's where it is installed, a small look-alike elsewhere."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

if TYPE_CHECKING:
    from yarl import URL

__all__ = ["url_class", "url_of"]


class _Text(str):
    """A URL: its text, and the parts of it that clients ask for."""

    __slots__ = ()

    def __new__(cls, value: Any = "", *, encoded: bool = False) -> _Text:
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


_HAS_YARL = find_spec("yarl") is not None


def url_class() -> type[URL]:
    """Return the class. Who makes no URL does not wait for yarl."""
    if _HAS_YARL:
        from yarl import URL

        return URL
    return _Text  # type: ignore[return-value]


def url_of(href: str) -> URL:
    """Return the URL of an href, which is not encoded a second time."""
    url = url_class()
    try:
        return url(href, encoded="%" in href)
    except ValueError:
        return url(href)
