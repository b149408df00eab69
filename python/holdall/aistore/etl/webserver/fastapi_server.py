"""Transformers over FastAPI."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ...const import (
    AIS_DIRECT_PUT_CHUNK_SIZE,
    AIS_DIRECT_PUT_RETRIES,
    ETL_WS_FQN,
    ETL_WS_PATH,
    ETL_WS_PIPELINE,
    HEADER_CONTENT_LENGTH,
    HEADER_NODE_URL,
    QPARAM_ETL_ARGS,
    QPARAM_ETL_FQN,
    STATUS_BAD_GATEWAY,
    STATUS_INTERNAL_SERVER_ERROR,
    STATUS_OK,
)
from ...errors import ETLDirectPutTransientError, InvalidPipelineError
from ._sync import Delivered, failure, opened, refused
from .base_etl_server import CountingIterator, ETLServer, pause_before, replayable_retries
from .utils import compose_etl_direct_put_url, parse_etl_pipeline

try:
    import httpx
    import requests
    import uvicorn
    from fastapi import FastAPI, HTTPException, Request, Response, WebSocket, WebSocketDisconnect
    from starlette.concurrency import iterate_in_threadpool

    from .fastapi_streaming import DeferredStreamingResponse, RequestStreamReader
except ImportError as error:
    raise ImportError(
        "FastAPIServer needs fastapi, httpx, requests and uvicorn: pip install 'holdall[etl]'"
    ) from error

# Failures after which nothing has been stored, so that a delivery can be repeated.
_TRANSIENT = (
    httpx.ReadError,
    httpx.WriteError,
    httpx.ConnectError,
    httpx.RemoteProtocolError,
    httpx.TimeoutException,
)

_MIB = 1 << 20


def _limits() -> httpx.Limits:
    return httpx.Limits(
        max_connections=int(os.environ.get("MAX_CONN", "256")),
        max_keepalive_connections=int(os.environ.get("MAX_KEEPALIVE_CONN", "128")),
        keepalive_expiry=int(os.environ.get("KEEPALIVE_EXPIRY", "30")),
    )


class FastAPIServer(ETLServer):
    """A transformer over FastAPI; ``app`` is the application. ``transform`` runs on threads, several at once.

    The environment may limit connections to other nodes: ``MAX_CONN`` (256), ``MAX_KEEPALIVE_CONN`` (128),
    ``KEEPALIVE_EXPIRY`` (30 seconds); and say in pieces of how many bytes results are sent:
    ``DIRECT_PUT_CHUNK_SIZE``, one MiB unless set.

    Args:
        host: Address to listen on.
        port: Port to listen on.
    """

    def __init__(self, host: str = "0.0.0.0", port: int = 8000) -> None:
        super().__init__()
        self.host = host
        self.port = port
        self.client: Any = None
        self.active_connections: list[WebSocket] = []
        self.chunk_size = int(os.environ.get(AIS_DIRECT_PUT_CHUNK_SIZE, str(_MIB)))
        self.app = FastAPI(lifespan=self._lifespan)
        self.app.state.etl_server = self
        self._add_routes()

    @asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        await self.startup_event()
        yield
        await self.shutdown_event()

    def _add_routes(self) -> None:
        async def health() -> Response:
            return Response(b"Running")

        async def get(path: str, request: Request) -> Response:
            return await self._handle_request(path, request, is_get=True)

        async def put(path: str, request: Request) -> Response:
            return await self._handle_request(path, request, is_get=False)

        # Annotations are looked up in this module, which has those names.
        self.app.add_api_route("/health", health, response_model=None)
        self.app.add_api_route("/{path:path}", get, methods=["GET"], response_model=None)
        self.app.add_api_route("/{path:path}", put, methods=["PUT"], response_model=None)
        self.app.add_api_websocket_route("/ws", self._handle_ws)

    async def startup_event(self) -> None:
        """Called before the first request."""
        self.client = self._new_client()

    async def shutdown_event(self) -> None:
        """Called after the last request."""
        client, self.client = self.client, None
        if client is not None:
            await client.aclose()

    def _new_client(self) -> httpx.AsyncClient:
        from ...session_manager import resolve_ssl_config

        verify, cert = resolve_ssl_config()
        transport = httpx.AsyncHTTPTransport(
            retries=int(os.environ.get(AIS_DIRECT_PUT_RETRIES, "3")),
            verify=verify,
            cert=cert,
            limits=_limits(),
        )
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return httpx.AsyncClient(timeout=None, transport=transport, headers=headers)

    async def _handle_request(self, path: str, request: Request, is_get: bool) -> Response:
        try:
            return await self._transform_request(path, request, is_get)
        except Exception as error:
            status, text, headers = failure(
                self,
                path,
                error,
                refusals=(httpx.HTTPStatusError, requests.HTTPError),
                of_network=(httpx.RequestError, requests.RequestException),
                unreached="Network error",
            )
            raise HTTPException(status, detail=text, headers=headers) from error

    async def _transform_request(self, path: str, request: Request, is_get: bool) -> Response:
        etl_args = request.query_params.get(QPARAM_ETL_ARGS, "").strip()
        fqn = request.query_params.get(QPARAM_ETL_FQN, "").strip()
        stage, rest = parse_etl_pipeline(request.headers.get(HEADER_NODE_URL))
        if self.use_streaming:
            if stage:
                outcome = await self._direct_put_stream_with_retry(
                    fqn, path, request, is_get, etl_args, stage, rest
                )
                return self._delivered(outcome)
            reader = await self._get_stream_reader(fqn, path, request, is_get)
            try:
                pieces = self.transform_stream(reader, path, etl_args)
            except BaseException:
                self.close_reader(reader)
                raise
            return DeferredStreamingResponse(
                self.iter_and_close(pieces, reader),
                status_code=STATUS_OK,
                media_type=self.get_mime_type(),
            )
        source: bytes | str
        if fqn:
            source = await self._file(fqn)
        elif is_get:
            source = await self._get_network_content(path)
        else:
            source = await request.body()
        result = await asyncio.to_thread(self.transform, source, path, etl_args)
        if stage:
            return self._delivered(
                await self._direct_put_with_retry(stage, result, rest, path, etl_args)
            )
        return Response(result, STATUS_OK, media_type=self.get_mime_type())

    def _delivered(self, outcome: Delivered) -> Response:
        status, body, length = outcome
        return Response(body, status, headers=self.make_direct_put_headers(length))

    async def _file(self, fqn: str) -> bytes | str:
        file = self.sanitize_fqn(fqn)
        return file if self.direct_fqn else await asyncio.to_thread(Path(file).read_bytes)

    def _source_url(self, path: str) -> str:
        # The target wants bucket and object as one segment.
        return f"{self.host_target}/{quote(path, safe='@')}"

    async def _get_network_content(self, path: str) -> bytes:
        if self.client is None:
            self.client = self._new_client()
        response = await self.client.get(self._source_url(path))
        response.raise_for_status()
        return bytes(response.content)

    async def _get_stream_reader(self, fqn: str, path: str, request: Request, is_get: bool) -> Any:
        if fqn:
            return Path(self.sanitize_fqn(fqn)).open("rb")
        if is_get:
            return await asyncio.to_thread(opened, self.session, self._source_url(path))
        return RequestStreamReader(request)

    async def _direct_put_stream_with_retry(
        self,
        fqn: str,
        path: str,
        request: Request,
        is_get: bool,
        etl_args: str,
        first_url: str,
        remaining: str,
    ) -> Delivered:
        replayable, retries = replayable_retries(fqn, is_get, self.direct_put_retries)
        for attempt in range(retries + 1):
            reader = await self._get_stream_reader(fqn, path, request, is_get)
            try:
                pieces = self.transform_stream(reader, path, etl_args)
                return await self._direct_put_stream(first_url, pieces, remaining, path, etl_args)
            except ETLDirectPutTransientError as error:
                if attempt == retries:
                    # Only the cluster has the content still: it is told to send it again.
                    error.bail_without_local_retry = not replayable
                    raise
                await self._pause(attempt, error)
            finally:
                self.close_reader(reader)
        raise AssertionError("the last attempt returns or raises")

    async def _direct_put_with_retry(
        self,
        direct_put_url: str,
        data: bytes,
        remaining_pipeline: str = "",
        path: str = "",
        etl_args: str = "",
    ) -> Delivered:
        for attempt in range(self.direct_put_retries):
            try:
                return await self._direct_put(
                    direct_put_url, data, remaining_pipeline, path, etl_args
                )
            except ETLDirectPutTransientError as error:
                await self._pause(attempt, error)
        return await self._direct_put(direct_put_url, data, remaining_pipeline, path, etl_args)

    async def _pause(self, attempt: int, error: Exception) -> None:
        delay = pause_before(attempt)
        self.logger.warning(
            "delivery %d of %d failed, once more in %.1f s: %s",
            attempt + 1,
            self.direct_put_retries + 1,
            delay,
            error,
        )
        await asyncio.sleep(delay)

    async def _direct_put_stream(
        self,
        direct_put_url: str,
        data_iter: Iterator[bytes],
        remaining_pipeline: str = "",
        path: str = "",
        etl_args: str = "",
    ) -> Delivered:
        counted = CountingIterator(data_iter)
        headers = {HEADER_NODE_URL: remaining_pipeline} if remaining_pipeline else {}
        response, failed = await self._put(
            direct_put_url, path, etl_args, iterate_in_threadpool(counted), headers
        )
        if failed is not None:
            return failed
        return self.handle_direct_put_response(response, b"", data_length=counted.bytes_sent)

    async def _direct_put(
        self,
        direct_put_url: str,
        data: bytes,
        remaining_pipeline: str = "",
        path: str = "",
        etl_args: str = "",
    ) -> Delivered:
        headers = {HEADER_CONTENT_LENGTH: str(len(data))}
        if remaining_pipeline:
            headers[HEADER_NODE_URL] = remaining_pipeline
        response, failed = await self._put(
            direct_put_url, path, etl_args, self._iter_chunks(data, self.chunk_size), headers
        )
        return failed if failed is not None else self.handle_direct_put_response(response, data)

    async def _put(
        self, stage: str, path: str, etl_args: str, content: Any, headers: dict[str, str]
    ) -> tuple[Any, Delivered | None]:
        """The answer of the next stage, or what to tell the previous one instead."""
        url = compose_etl_direct_put_url(stage, self.host_target, path, etl_args)
        if self.client is None:
            self.client = self._new_client()
        try:
            return await self.client.put(url, content=content, headers=headers), None
        except Exception as error:
            text = f"direct_put to {url!r} failed: {error!r}"
            if isinstance(error, _TRANSIENT):
                if not refused(error):
                    raise ETLDirectPutTransientError(url, error) from error
                # Nobody listens there, and nobody will in a moment.
                self.logger.error(text)
                return None, (STATUS_BAD_GATEWAY, text.encode(), 0)
            self.logger.exception(text)
            return None, (STATUS_INTERNAL_SERVER_ERROR, text.encode(), 0)

    @staticmethod
    async def _iter_chunks(data: bytes, chunk_size: int = _MIB) -> AsyncIterator[bytes]:
        for start in range(0, len(data), chunk_size):
            yield data[start : start + chunk_size]

    async def _handle_ws(self, websocket: WebSocket) -> None:
        await websocket.accept()
        self.active_connections.append(websocket)
        try:
            while True:
                await self._handle_ws_message(websocket)
        except WebSocketDisconnect:
            pass
        except Exception:
            self.logger.exception("the web socket of %s failed", websocket.client)
        finally:
            self.active_connections.remove(websocket)
            # The peer may have closed it already.
            with suppress(RuntimeError):
                await websocket.close()

    async def _handle_ws_message(self, websocket: WebSocket) -> None:
        """One object: a message about it, then its content unless it is a file."""
        if self.use_streaming:
            raise NotImplementedError(
                "WebSocket transport requires transform(), not transform_stream(). "
                "Override transform() to use WebSocket, or use HTTP transport for streaming."
            )
        message = await websocket.receive_json(mode="binary")
        path = message.get(ETL_WS_PATH) or ""
        etl_args = (message.get(QPARAM_ETL_ARGS) or "").strip()
        try:
            fqn = message.get(ETL_WS_FQN)
            source = await self._file(fqn) if fqn else await websocket.receive_bytes()
            result = await asyncio.to_thread(self.transform, source, path, etl_args)
            stage, rest = parse_etl_pipeline(message.get(ETL_WS_PIPELINE))
            if not stage:
                await websocket.send_bytes(result)
                return
            status, body, length = await self._direct_put_with_retry(
                stage, result, rest, path, etl_args
            )
            if status == STATUS_OK:
                await websocket.send_bytes(body)
            else:
                await websocket.send_text(str(length))
        except WebSocketDisconnect:
            raise
        except InvalidPipelineError as error:
            self.logger.error("Invalid pipeline header: %s", error)
            await websocket.send_text(f"Invalid pipeline header: {error}")
        except ETLDirectPutTransientError as error:
            self.logger.error("Direct put failed after retries: %s", error)
            await websocket.send_text("0")
        except Exception as error:
            self.logger.exception("transforming %s failed", path)
            await websocket.send_text(f"Transform error: {error}")

    def start(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        uvicorn.run(self.app, host=self.host, port=self.port)
