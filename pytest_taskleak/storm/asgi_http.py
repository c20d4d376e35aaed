"""How do a client and an ASGI app talk over HTTP: what does each hear, and when?

Both ends are in memory.  The app's side does what common servers do: a send to a client that has gone is
ignored, a receive tells of the end of the connection, and a send waits while too much is unread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from pytest_taskleak.storm.asgi_scopes import Answer, Data, Fate, Request, as_bytes
from pytest_taskleak.storm.news import News

WINDOW = 65_536
"""Bytes that a client may leave unread before the app's sends wait."""
DISCONNECT = {"type": "http.disconnect"}
FAILURE = 500


class ProtocolError(RuntimeError):
    """An app has sent what ASGI does not allow at that moment."""


class HttpExchange:
    """One request and its response.

    Parameters:
        request: what the client asks.
        number: the number of the request.
    """

    def __init__(self, request: Request, number: int) -> None:
        self.request = request
        self.answer = Answer(request, number)
        self.started = self.complete = False
        self.gone = False
        """Whether the client has left."""
        self.closed = False
        """Whether the server has done with it."""
        self.over: Callable[[], object] | None = None
        """Called when the client has gone, or the server has done with it."""
        self.kept: Callable[[], object] | None = None
        """Set where the client stops reading after the first chunk, and stays; is told so."""
        self.stays = False
        """Whether it has done so."""
        self._sent: deque[dict[str, Any]] = deque()  # by the client, for the app
        self._unread: deque[bytes] = deque()  # by the app, for the client
        self._weight = 0
        self._told = False
        self._app_news = News()
        self._client_news = News()

    # --- the app's side -----------------------------------------------------------------------------

    async def receive(self) -> dict[str, Any]:
        """Return the next message for the app."""
        if self._told:
            await asyncio.sleep(0)  # so that an app that does not care turns, and does not freeze all
            return dict(DISCONNECT)
        await self._app_news.until(lambda: self._sent or self.gone or self.complete)
        if self._sent and not self.gone:
            return self._sent.popleft()
        self._told = True
        return dict(DISCONNECT)

    async def send(self, message: dict[str, Any]) -> None:
        """Take a message of the app.

        Raises:
            ProtocolError: it comes at the wrong time.
        """
        kind = message["type"]
        if kind == "http.response.start":
            if self.started:
                raise ProtocolError("a second http.response.start")
            self.started = True
            self.answer.status = int(message["status"])
            self.answer.headers = dict(named(message.get("headers", ())))
        elif kind == "http.response.body":
            if not self.started or self.complete:
                raise ProtocolError(
                    f"http.response.body {'after the last one' if self.started else 'before the start'}"
                )
            await self._body(message)

    async def _body(self, message: dict[str, Any]) -> None:
        self.complete = not message.get("more_body", False)
        if self.gone:
            self._app_news.tell()
            await asyncio.sleep(0)
            return
        chunk = bytes(message.get("body", b""))
        self._unread.append(chunk)
        self._weight += len(chunk) + 1
        self._client_news.tell()
        if self.complete:
            self._app_news.tell()
        elif self._weight > WINDOW:
            await self._app_news.until(lambda: self._weight <= WINDOW or self.gone)

    # --- the server's side --------------------------------------------------------------------------

    def disconnect(self) -> None:
        """Tell the app that the server goes: of HTTP, a running response is let come to its end."""

    def refuse(self) -> None:
        """Say that there is nobody to take it."""
        self.answer.status = 503
        self.close("refused")

    def close(self, fate: Fate | None = None) -> None:
        """End the connection: the app has returned, or nothing more is to come of it.

        Parameters:
            fate: what became of the request; by default what can be seen of the response.
        """
        if self.closed:
            return
        self.closed = True
        if self.over is not None:
            self.over()
        if fate is not None and not (self.complete and fate == "unanswered"):
            self.answer.fate, self.answer.cut = fate, self._cuts(fate)
            if fate == "error" and not self.started:
                self.answer.status = FAILURE
        elif self.complete and not self.gone:
            self.answer.fate = "error" if self.answer.status >= FAILURE else "answered"
        self._client_news.tell()

    def _cuts(self, fate: Fate) -> bool:
        """Tell whether somebody is left who waits for an answer."""
        return fate == "unanswered" and not (self.gone or self.stays)

    @property
    def whole(self) -> bool:
        """Whether the app has answered all that it had to, or nobody was left to be answered."""
        return self.complete or self.gone

    # --- the client's side --------------------------------------------------------------------------

    def leave(self) -> None:
        """Go away: the app is told, and its sends are in vain."""
        self.gone = True
        if self.over is not None:
            self.over()
        self._app_news.tell()
        self._client_news.tell()

    async def talk(self) -> Answer:
        """Send the request, read the response, and return it."""
        answer, request = self.answer, self.request
        chunks: list[Data] = request.chunks_of(answer.number) or [b""]
        for place, chunk in enumerate(chunks):
            if request.pause:
                await asyncio.sleep(request.pause)
            if self.complete or self.closed or self.gone:
                break
            more = place + 1 < len(chunks)
            self._sent.append({"type": "http.request", "body": as_bytes(chunk), "more_body": more})
            self._app_news.tell()
        read = 0
        while not self.gone:
            if self._unread:
                if request.slow:
                    await asyncio.sleep(request.slow)
                read += self._read()
                if self.kept is not None and not self.complete:
                    self.stays = True
                    self.kept()
                    break
                if request.reads is not None and read >= request.reads and not self.complete:
                    self.leave()
            elif self.complete or self.closed:
                break
            else:
                await self._client_news.until(self._has_news)
        if self.complete and not self.closed and not self.gone:
            answer.fate = "error" if answer.status >= FAILURE else "answered"
        return answer

    def _has_news(self) -> bool:
        return bool(self._unread) or self.complete or self.closed or self.gone

    def _read(self) -> int:
        """Read a chunk, unless it has gone meanwhile; return how many were read."""
        if self.gone:
            return 0
        chunk = self._unread.popleft()
        self._weight -= len(chunk) + 1
        self.answer.body += chunk
        self._app_news.tell()
        return 1


def named(headers: Any) -> Iterator[tuple[str, str]]:
    """Yield headers as text."""
    for name, value in headers:
        yield bytes(name).decode("latin-1").lower(), bytes(value).decode("latin-1")
