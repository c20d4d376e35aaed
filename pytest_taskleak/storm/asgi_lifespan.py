"""How is an ASGI app told that its life begins and ends, and what if it does not care?"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from pytest_taskleak.storm.asgi_scopes import ASGI
from pytest_taskleak.storm.news import News

NAME = "lifespan"
"""The name of the task; no storm cancels it alone, since nobody does."""
LEAVING = 1.0
"""Virtual seconds that the task may take to return once it has said that all is done, or was cancelled."""


class LifespanFailed(RuntimeError):
    """An app has said that its start-up or its shutdown has failed."""


class Lifespan:
    """One life of an app.

    Parameters:
        app: an ASGI app.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.state: dict[str, Any] = {}
        self.task: asyncio.Task[None] | None = None
        self._messages: deque[str] = deque()
        self._heard: dict[str, str] = {}
        self._received = False
        self._news = News()

    async def startup(self) -> None:
        """Tell the app to begin, and wait until it has.

        Raises:
            LifespanFailed: it could not; its cause is what the app raised.
        """
        self.task = task = asyncio.get_running_loop().create_task(self._run(), name=NAME)
        task.add_done_callback(self._news.tell)
        self._say("startup")
        await self._heard_of("startup")
        if task.done() and "startup.complete" not in self._heard:
            error = None if task.cancelled() else task.exception()
            if "startup.failed" in self._heard or (self._received and error is not None):
                raise LifespanFailed(self._story("startup", error)) from error
            self.task = None  # it knows of no lifespan
        elif "startup.failed" in self._heard:
            await self._news.until(task.done, LEAVING)
            error = task.exception() if task.done() and not task.cancelled() else None
            raise LifespanFailed(self._story("startup", error)) from error

    async def shutdown(self) -> None:
        """Tell the app to end, and wait until it has.

        Raises:
            LifespanFailed: it could not; its cause is what the app raised.
        """
        task = self.task
        if task is None:
            return
        if not task.done():
            self._say("shutdown")
            await self._heard_of("shutdown")
            await self._news.until(task.done, LEAVING)
        self.task = None
        error = task.exception() if task.done() and not task.cancelled() else None
        if error is not None or "shutdown.failed" in self._heard:
            raise LifespanFailed(self._story("shutdown", error)) from error

    async def finish(self) -> None:
        """Let a start-up that nobody waits for any more come to its end, and shut down."""
        try:
            await self._heard_of("startup")
            await self.shutdown()
        except asyncio.CancelledError:
            await self.cut()
            raise

    async def cut(self) -> None:
        """Cancel it, as `asyncio.run` does with what is left when its main task has ended."""
        task, self.task = self.task, None
        if task is None:
            return
        task.cancel()
        await surely(self._news, task.done, LEAVING)
        error = task.exception() if task.done() and not task.cancelled() else None
        if error is not None and self._received:
            raise LifespanFailed(self._story("cancelled", error)) from error

    def _say(self, what: str) -> None:
        """Send a message."""
        self._messages.append(f"lifespan.{what}")
        self._news.tell()

    async def _heard_of(self, what: str) -> None:
        """Wait until the app has answered a message, or has ended."""
        task, answers = self.task, {f"{what}.complete", f"{what}.failed"}
        await self._news.until(lambda: task is None or task.done() or answers & self._heard.keys())

    def _story(self, what: str, error: BaseException | None) -> str:
        text = self._heard.get(f"{what}.failed", "").strip().rpartition("\n")[2]
        return f"lifespan {what}: {text or (repr(error) if error is not None else 'failed')}"

    # --- the app's side -----------------------------------------------------------------------------

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": dict(ASGI), "state": self.state}
        await self.app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        self._received = True
        await self._news.until(lambda: self._messages)
        return {"type": self._messages.popleft()}

    async def _send(self, message: dict[str, Any]) -> None:
        _, _, what = str(message["type"]).partition(".")
        self._heard[what] = str(message.get("message", ""))
        self._news.tell()


async def surely(news: News, ready: Callable[[], object], seconds: float) -> None:
    """Wait until something is so, whatever is cancelled; a cancellation is passed on afterwards.

    Parameters:
        news: is told of changes.
        ready: tells whether it is so.
        seconds: virtual; after these the wait is over in any case.
    """
    loop = asyncio.get_running_loop()
    until, given_up = loop.time() + seconds, None
    while not ready() and (left := until - loop.time()) > 0:
        try:
            await news.until(ready, left)
        except asyncio.CancelledError as error:
            given_up = error
    if given_up is not None:
        raise given_up
