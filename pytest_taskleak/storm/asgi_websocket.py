"""How do a client and an ASGI app talk over a websocket, and who ends it?"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from pytest_taskleak.storm.asgi_http import ProtocolError
from pytest_taskleak.storm.asgi_scopes import Answer, Data, Fate, Request
from pytest_taskleak.storm.news import News

NORMAL, AWAY, LOST, FAILED, RESTART = 1000, 1001, 1006, 1011, 1012
"""Codes with which a websocket ends."""
FORBIDDEN, UNAVAILABLE = 403, 503


class ClientGone(OSError):
    """An app has sent something to a client that has gone."""


class WebSocketExchange:
    """One websocket.

    Parameters:
        request: what the client does.
        number: the number of the request.
    """

    def __init__(self, request: Request, number: int) -> None:
        self.request = request
        self.answer = Answer(request, number)
        self.accepted = self.gone = self.closed = False
        self.ended = False
        """Whether the app has closed or refused it."""
        self.over: Callable[[], object] | None = None
        """Called when the client has gone, or the server has done with it."""
        self.kept: Callable[[], object] | None = None
        """Set where the client stays when it has done what it came for; is told so."""
        self.stays = False
        """Whether it has done so."""
        self._sent: deque[dict[str, Any]] = deque([{"type": "websocket.connect"}])
        self._unread: deque[Data] = deque()
        self._app_news = News()
        self._client_news = News()

    # --- the app's side -----------------------------------------------------------------------------

    async def receive(self) -> dict[str, Any]:
        """Return the next message for the app; after the disconnect there is none any more."""
        await self._app_news.until(lambda: self._sent)
        return self._sent.popleft()

    async def send(self, message: dict[str, Any]) -> None:
        """Take a message of the app.

        Raises:
            ClientGone: the client has gone.
            ProtocolError: it comes at the wrong time.
        """
        kind = message["type"]
        if self.gone:
            await asyncio.sleep(0)
            if kind == "websocket.close":
                self.ended = True
                return
            raise ClientGone("the client has gone")
        if self.ended and kind != "websocket.http.response.body":
            raise ProtocolError(f"{kind} after the end")
        if kind == "websocket.accept":
            if self.accepted:
                raise ProtocolError("a second websocket.accept")
            self.accepted = True
        elif kind == "websocket.send":
            if not self.accepted:
                raise ProtocolError("websocket.send before websocket.accept")
            text = message.get("text")
            self._unread.append(text if text is not None else bytes(message["bytes"]))
        elif kind == "websocket.close":
            self._end(int(message.get("code", NORMAL)), FORBIDDEN)
        elif kind == "websocket.http.response.start":
            self._end(0, int(message["status"]))
        self._client_news.tell()

    def _end(self, code: int, status: int) -> None:
        """Let the app end it: with a code once it was accepted, else with a status."""
        self.ended = True
        answer = self.answer
        if self.accepted:
            answer.code = code
            answer.fate = "error" if code == FAILED else "answered"
        else:
            answer.status, answer.fate = status, "refused"
        self._drop(code or LOST)

    def _drop(self, code: int) -> None:
        """Tell the app that there is nobody any more."""
        if not any(message["type"] == "websocket.disconnect" for message in self._sent):
            self._sent.append({"type": "websocket.disconnect", "code": code, "reason": ""})
        self._app_news.tell()

    # --- the server's side --------------------------------------------------------------------------

    def disconnect(self) -> None:
        """Tell app and client that the server goes."""
        if not (self.gone or self.ended):
            self.gone = True
            self.answer.code = RESTART
            self._drop(RESTART)
            self._client_news.tell()

    def refuse(self) -> None:
        """Say that there is nobody to take it."""
        self.answer.status = UNAVAILABLE
        self.close("refused")

    def close(self, fate: Fate | None = None) -> None:
        """End the connection: the app has returned, or nothing more is to come of it.

        Parameters:
            fate: what became of it; by default what can be seen.
        """
        if self.closed:
            return
        self.closed = True
        if self.over is not None:
            self.over()
        if fate is not None and not self.ended:
            self.answer.fate, self.answer.cut = fate, self._cuts(fate)
            if self.accepted and not self.answer.code:
                self.answer.code = FAILED if fate == "error" else LOST
        self._client_news.tell()

    def _cuts(self, fate: Fate) -> bool:
        """Tell whether somebody is left who waits for an answer."""
        return fate == "unanswered" and not (self.gone or self.stays)

    @property
    def whole(self) -> bool:
        """Whether the app has answered all that it had to, or nobody was left to be answered."""
        return self.ended or self.gone or self.accepted

    # --- the client's side --------------------------------------------------------------------------

    def leave(self, code: int = AWAY) -> None:
        """Go away: the app is told.

        Parameters:
            code: as it is told to the app.
        """
        if not self.gone:
            self.gone = True
            if self.over is not None:
                self.over()
            if not self.ended:
                self._drop(code)
        self._client_news.tell()

    async def talk(self) -> Answer:
        """Connect, send and read the messages, and return what came."""
        answer, request = self.answer, self.request
        await self._client_news.until(lambda: self.accepted or self._over())
        for message in request.chunks_of(answer.number):
            if request.pause:
                await asyncio.sleep(request.pause)
            if self._over():
                break
            key = "bytes" if isinstance(message, bytes) else "text"
            self._sent.append({"type": "websocket.receive", key: message})
            self._app_news.tell()
        while request.reads is None or len(answer.messages) < request.reads:
            if self._unread:
                if request.slow:
                    await asyncio.sleep(request.slow)
                answer.messages.append(self._unread.popleft())
            elif self._over():
                break
            else:
                await self._client_news.until(lambda: self._unread or self._over())
        if not self._over():
            answer.fate = "answered"
            if self.kept is not None:
                self.stays = True
                self.kept()
            else:
                self.leave(NORMAL)
        return answer

    def _over(self) -> bool:
        return self.gone or self.ended or self.closed
