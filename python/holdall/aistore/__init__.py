"""AIStore: a server for its API in this process.

>>> from holdall import aistore
>>> with aistore.serve() as server:
...     server.url.startswith("http://127.0.0.1:")
True

AIStore's official clients work with the server unchanged: give them ``server.url`` as their endpoint.
"""

from ._server import Server, serve

__all__ = ["Server", "serve"]
