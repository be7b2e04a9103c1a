"""Live changes: one look at the store a second while a browser listens, told to all of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from runhaven_server.library import Library

logger = logging.getLogger("runhaven")

INTERVAL_S = 0.7


class Live:
    """Keeps the sockets and looks after the store for them."""

    def __init__(self, library: Library) -> None:
        """Prepare; `watch` begins."""
        self._library = library
        self._sockets: set[WebSocket] = set()
        self._wanted = asyncio.Event()

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        """Look at the store as long as the context lasts."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def serve(self, socket: WebSocket) -> None:
        """Talk to one browser until it leaves."""
        await socket.accept()
        self._sockets.add(socket)
        self._wanted.set()
        try:
            while True:
                await socket.receive_text()
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._sockets.discard(socket)

    async def _watch(self) -> None:
        while True:
            if not self._sockets:
                self._wanted.clear()
                await self._wanted.wait()
            try:
                changes = await run_in_threadpool(self._library.look)
            except Exception:
                logger.debug("the store could not be read", exc_info=True)
            else:
                message: dict[str, Any] = {"runs": [run.model_dump() for run in changes.runs]} if changes.runs else {}
                if changes.projects:
                    message["projects"] = True
                if message:
                    await self._tell(message)
            await asyncio.sleep(INTERVAL_S)

    async def _tell(self, message: dict[str, Any]) -> None:
        for socket in list(self._sockets):
            try:
                await socket.send_json(message)
            except (WebSocketDisconnect, RuntimeError):
                self._sockets.discard(socket)
