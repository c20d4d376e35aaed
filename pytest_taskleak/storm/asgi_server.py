"""How does a server drive an ASGI app, and how does it end, without a socket?

It does what servers agree on: a stop refuses what is new, lets what runs come to its end for as long as its
grace is, cancels the rest, and tells the app at last.  A server that is cancelled itself does what is left
when `asyncio.run` ends: it cancels its requests, the app's lifespan, and then what the app has left running.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import Any, Literal

from pytest_taskleak.adapt.code import PACKAGE
from pytest_taskleak.storm.asgi_http import HttpExchange
from pytest_taskleak.storm.asgi_lifespan import Lifespan, surely
from pytest_taskleak.storm.asgi_scopes import FATES, WEBSOCKET, Answer, request_of, scope_of
from pytest_taskleak.storm.asgi_websocket import LOST, ClientGone, WebSocketExchange
from pytest_taskleak.storm.env import Env, InjectedFault
from pytest_taskleak.storm.lines import GONE
from pytest_taskleak.storm.news import News
from pytest_taskleak.storm.oracles import caused_by, origin

RESISTING = 1.0
"""Virtual seconds that a request may take to end once it was cancelled; then the server does without it."""
LEFT = "Disconnect"
"""How the names of exceptions end by which frameworks tell that a client has gone."""

Exchange = HttpExchange | WebSocketExchange
Cancelled = Literal["cut", "drain"]


class AsgiServer:
    """One life of a server with an ASGI app.

    Parameters:
        app: an ASGI 3 app.
        env: the environment of the run.
        grace: virtual seconds for running requests after a stop; `None` waits for as long as they take.
        latency: the least and the most virtual seconds from a client to the server.
        lifespan: whether the app is told of start and end.
        cancelled: what a cancellation of the whole program does: `cut` cancels all, `drain` stops as ever.
    """

    restarts = True
    stops = True

    def __init__(
        self,
        app: Any,
        env: Env,
        *,
        grace: float | None = None,
        latency: tuple[float, float] = (0.001, 0.002),
        lifespan: bool = True,
        cancelled: Cancelled = "cut",
    ) -> None:
        self.app, self.env, self.grace = app, env, grace
        self.answers: list[Answer] = []
        """Of all that clients have asked, in the order in which they asked."""
        self.before: Counter[Any] = Counter()
        """What was stored before the first request."""
        self.accepting = False
        self._latency = latency
        self._tells, self._cancelled = lifespan, cancelled
        self._lifespan: Lifespan | None = None
        self._starting = self._stopping = self._ended = False
        self._news = News()
        self._running: dict[asyncio.Task[None], Exchange] = {}

    # --- start and stop -----------------------------------------------------------------------------

    async def start(self) -> AsgiServer:
        """Start the app, and accept from here on.

        Raises:
            LifespanFailed: the app could not start.
        """
        self._starting, self._stopping, self._ended = True, False, False
        try:
            if self._tells:
                self._lifespan = Lifespan(self.app)
                await self._start_app(self._lifespan)
            self.accepting = True
        except BaseException:
            self._lifespan = None
            raise
        finally:
            self._starting = False
            self._news.tell()
        return self

    async def _start_app(self, lifespan: Lifespan) -> None:
        try:
            await lifespan.startup()
        except asyncio.CancelledError:
            if self._cancelled == "drain":
                await lifespan.finish()
            else:
                await self._cut()
            raise

    async def stop(self) -> None:
        """Refuse what is new, let the rest end, and tell the app; a further stop waits for the first.

        Raises:
            LifespanFailed: the app could not end.
        """
        await self._news.until(lambda: not self._starting)  # as servers do: a start-up is let come to its end
        self.accepting = False
        if self._stopping:
            await self._news.until(lambda: self._ended)
            return
        self._stopping = True
        task = asyncio.current_task()
        try:
            if self._cancelled == "cut" and task is not None and task.cancelling():
                await self._cut()
            else:
                await self._drain()
        except asyncio.CancelledError:
            await self._cut()
            raise
        finally:
            self._ended = True
            self._news.tell()

    async def _drain(self) -> None:
        for exchange in list(self._running.values()):
            exchange.disconnect()
        await self._news.until(self._idle, self.grace)
        await self._cancel_all()
        if self._lifespan is not None:
            await self._lifespan.shutdown()

    async def _cut(self) -> None:
        await self._cancel_all()
        try:
            if self._lifespan is not None:
                await self._lifespan.cut()
        finally:
            await self._cancel_rest()

    async def _cancel_all(self) -> None:
        for task in list(self._running):
            if not task.cancelling():
                task.cancel()
        await surely(self._news, self._idle, RESISTING)

    async def _cancel_rest(self) -> None:
        """Cancel what the app has left running, as `asyncio.run` does when its main task has ended."""
        loop, env = self.env.loop, self.env
        left = [
            task
            for task, birth in zip(loop.tasks, loop.births, strict=True)
            if not (task.done() or task in env.clients or is_own(task))
            and not (birth is not None and birth[0] in env.client_codes)
        ]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=RESISTING)

    def _idle(self) -> bool:
        return not self._running

    # --- requests -----------------------------------------------------------------------------------

    async def ask(self, request: Any, number: int | None = None) -> Answer:
        """Be a client: make a request, and return what became of it.

        Parameters:
            request: a `Request`, or as `asgi()` takes it.
            number: the number of the request; by default how many there were before.

        Raises:
            TypeError: it is no request.
        """
        wanted = request_of(request)
        number = len(self.answers) if number is None else number
        exchange: Exchange = (WebSocketExchange if wanted.method == WEBSOCKET else HttpExchange)(
            wanted, number
        )
        self.answers.append(exchange.answer)
        exchange.kept = self.env.lines.keep if self.env.held else None
        loop, (low, high) = asyncio.get_running_loop(), self._latency
        loop.call_later(low + (high - low) * self.env.rng.random(), self._accept, exchange)
        stays = wanted.leaves is None or self.env.held
        leaving = None if stays else loop.call_later(wanted.leaves or 0, exchange.leave)
        try:
            return await exchange.talk()
        finally:
            if not exchange.stays:
                exchange.leave()
            if leaving is not None:
                leaving.cancel()

    def _accept(self, exchange: Exchange) -> None:
        """Take a connection that has come in: it is the server's task, whoever the client is."""
        if not self.accepting or exchange.gone:
            exchange.refuse()
            return
        request, state = exchange.request, self._lifespan.state if self._lifespan is not None else {}
        scope = scope_of(request, exchange.answer.number, state)
        lines = self.env.lines
        title = f"the client of {request.title}, connection {len(lines.all)},"
        exchange.over = lines.opened(title, (GONE,), lambda _: lost(exchange))
        task = asyncio.get_running_loop().create_task(self._serve(scope, exchange), name=request.title)
        self._running[task] = exchange
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        exchange = self._running.pop(task)
        self._news.tell()
        exchange.close("unanswered")  # where the task was cancelled before its first step

    async def _serve(self, scope: dict[str, Any], exchange: Exchange) -> None:
        """Let the app answer one request."""
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            exchange.close("unanswered")
            raise
        except ClientGone:
            exchange.close()
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 -- as a server has to
            self._failed(exchange, error)
        else:
            if not exchange.whole and self.env.killed < 0:
                self.env.tell(
                    "E", f"{exchange.request.title}: the app returned without a whole answer", where="asgi"
                )
            exchange.close(None if exchange.whole else "error")

    def _failed(self, exchange: Exchange, error: BaseException) -> None:
        """Judge what the app has raised."""
        left = type(error).__name__.endswith(LEFT)
        exchange.close(None if left else "error")  # what its client is told is enough after a kill or a fault
        task = asyncio.current_task()
        cancelled = self.env.killed >= 0 or (task is not None and task.cancelling())
        if left or cancelled or caused_by(error, InjectedFault):
            return
        self.env.tell("E", f"{exchange.request.title}: the app raised {error!r}", where=origin(error))

    def tally(self) -> Counter[str]:
        """Return how many requests came to each of the four fates."""
        counts = Counter(answer.fate for answer in self.answers)
        return Counter({fate: counts[fate] for fate in FATES})


def is_own(task: asyncio.Task[Any]) -> bool:
    """Tell whether a task runs code of the storm itself."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and code.co_filename.startswith(PACKAGE + os.sep)


def lost(exchange: Exchange) -> None:
    """Let a client go without a word."""
    if isinstance(exchange, WebSocketExchange):
        exchange.leave(LOST)
    else:
        exchange.leave()
