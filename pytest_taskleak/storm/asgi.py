"""How is an ASGI app put under a storm: which app, which requests, and what counts as accepted and as stored?

`shutdown_storm.asgi(app, requests=[("POST", "/ev/{i}")] * 100)`: the app is driven in process, with lifespan,
HTTP and websockets, and without any socket.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pytest_taskleak.storm.adapters import takes_env
from pytest_taskleak.storm.asgi_scopes import READING, Answer, Request, request_of
from pytest_taskleak.storm.asgi_server import AsgiServer, Cancelled
from pytest_taskleak.storm.clients import tell_cut
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.news import News

PATIENCE = 2.0
"""Virtual seconds for which the load waits for an answer; who waits longer stays on the line."""
CALL = ("scope", "receive", "send")


@dataclass(slots=True)
class AsgiStorm:
    """An ASGI app, its requests, and how they are made: what a sweep needs.

    Parameters:
        build: makes the app of a run.
        requests: in their order.
        name: of the app, for reports.
        concurrency: closed arrivals: so many clients ask at a time.
        rate: open arrivals: so many requests come in a second, whatever becomes of the others; else `None`.
        accepted: returns the item that an answer has acknowledged, `None` for none.
        stored: returns the items that are stored at the end.
        options: of `AsgiServer`.
    """

    build: Callable[[Env], Any]
    requests: Sequence[Request]
    name: str
    concurrency: int
    rate: float | None
    accepted: Callable[[Answer], Any] | None
    stored: Callable[[Any], Iterable[Any]] | None
    options: dict[str, Any]
    tally: Counter[str] = field(default_factory=Counter)
    """Over all runs: how many requests were answered, refused, unanswered, or came to an error."""

    def make(self, env: Env) -> AsgiServer:
        """Return the server of one run."""
        return AsgiServer(self.build(env), env, **self.options)

    async def load(self, server: AsgiServer, env: Env) -> None:
        """Make the requests."""
        server.before = self._items(server)  # of an app that serves all runs, those of earlier ones
        asking: set[asyncio.Task[None]] = set()
        news = News()

        def answered(client: asyncio.Task[None]) -> None:
            asking.discard(client)
            news.tell()

        for number in env.items(len(self.requests)):
            if self.rate is not None:
                await asyncio.sleep(1 / self.rate if number else 0)
            else:
                await news.until(lambda: len(asking) < self.concurrency, PATIENCE)
            request = self.requests[number]
            client = env.client(self._ask(server, env, request, number), name=f"client {request.title}")
            asking.add(client)
            client.add_done_callback(answered)
        await news.until(lambda: not asking, PATIENCE)

    async def _ask(self, server: AsgiServer, env: Env, request: Request, number: int) -> None:
        """Be one client: only what was answered in full counts as accepted."""
        answer = await server.ask(request, number)
        accepted = self.accepted
        if accepted is not None and (item := accepted(answer)) is not None:
            env.accept(item)

    def done(self, server: AsgiServer) -> list[Any]:
        """Return what was stored; what was stored without its client knowing is left out: it is no loss."""
        self.tally += server.tally()
        known = server.env.ledger.accepted
        new = self._items(server) - server.before
        tell_cut(server.env, server.answers, new if self.accepted is item_of else ())
        return [item for item in new.elements() if item in known]

    def _items(self, server: AsgiServer) -> Counter[Any]:
        """Return what is stored now."""
        if self.stored is None:
            return Counter()
        named = self.accepted is item_of
        return Counter(str(item) if named else item for item in self.stored(server.app))


def asgi(
    app: Any,
    requests: Iterable[Any],
    *,
    concurrency: int = 10,
    arrivals: Literal["closed", "open"] = "closed",
    rate: float = 100.0,
    grace: float | None = None,
    latency: tuple[float, float] = (0.001, 0.002),
    lifespan: bool = True,
    cancelled: Cancelled = "cut",
    accepted: Callable[[Answer], Any] | None = None,
    stored: Callable[..., Iterable[Any]] | None = None,
) -> AsgiStorm:
    """Put an ASGI app under a storm.

    Parameters:
        app: an ASGI 3 app, or a class or function that returns one and may take the environment.  An app
            that is given as such serves all runs: what it keeps outside of its lifespan stays.
        requests: each as `(method, path)`, `(method, path, body)` or `Request`; a dictionary as body is sent
            as JSON; `{i}` is the number of the request.
        concurrency: with closed arrivals: so many clients ask at a time, each once it has its answer.
        arrivals: `closed`, or `open`: requests come at `rate`, whatever becomes of the others.
        rate: with open arrivals: requests for each virtual second.
        grace: virtual seconds for running requests after a stop, before they are cancelled; `None` waits for
            as long as they take.
        latency: the least and the most virtual seconds from a client to the server.
        lifespan: whether the app is told of its start and its end; one that does not know is let be.
        cancelled: what a cancellation of the whole program does: `cut` cancels requests, lifespan and the
            rest, as `asyncio.run` does at its end; `drain` stops in order, as servers do that catch signals.
        accepted: returns the item that an answer has acknowledged, `None` for none; by default the number, as
            text, of each request other than GET that was answered with 200 to 299 and has a `{i}`.
        stored: returns the items that are stored at the end; it may take the app.  Without it (and without
            `accepted`) no item is watched.

    Raises:
        TypeError: the app or a request is of no known shape.
        ValueError: a number is out of its range.
    """
    wanted = tuple(request_of(request) for request in requests)
    check(concurrency, rate, grace, arrivals, cancelled)
    options = {"grace": grace, "latency": latency, "lifespan": lifespan, "cancelled": cancelled}
    watched = item_of if accepted is None and stored is not None else accepted
    return AsgiStorm(
        build=builder(app),
        requests=wanted,
        name=name_of(app),
        concurrency=concurrency,
        rate=rate if arrivals == "open" else None,
        accepted=watched,
        stored=None if stored is None else taking_app(stored),
        options=options,
    )


def check(concurrency: int, rate: float, grace: float | None, arrivals: str, cancelled: str) -> None:
    """Check numbers and words.

    Raises:
        ValueError: one is out of its range.
    """
    if concurrency < 1 or not rate > 0 or (grace is not None and not grace >= 0):
        raise ValueError(
            f"shutdown_storm.asgi: concurrency must be 1 or more, rate above 0, grace 0 or more or None - "
            f"got concurrency={concurrency!r}, rate={rate!r}, grace={grace!r}"
        )
    for what, value, known in (
        ("arrivals", arrivals, ("closed", "open")),
        ("cancelled", cancelled, ("cut", "drain")),
    ):
        if value not in known:
            raise ValueError(f"shutdown_storm.asgi: {what} is {' or '.join(known)} - got {value!r}")


def builder(app: Any) -> Callable[[Env], Any]:
    """Return what makes the app of a run.

    Raises:
        TypeError: it is neither an app nor something that returns one.
    """
    if callable(app) and not inspect.isclass(app) and is_app(app):
        return lambda _: app
    if not callable(app):
        raise TypeError(f"shutdown_storm.asgi: the app must be callable - got {app!r}")
    takes = takes_env(app)

    def build(env: Env) -> Any:
        made = app(env) if takes else app()
        if not (callable(made) and is_app(made)):
            raise TypeError(
                f"shutdown_storm.asgi: {getattr(app, '__qualname__', app)!r} returned a "
                f"{type(made).__qualname__}, which is no ASGI 3 app: it must take {', '.join(CALL)}"
            )
        return made

    return build


def name_of(app: Any) -> str:
    """Return what an app is called, or what makes it."""
    name = str(getattr(app, "__qualname__", type(app).__qualname__)).rpartition("<locals>.")[2]
    return "ASGI app" if name == "<lambda>" else name


def is_app(thing: Any) -> bool:
    """Tell whether something can be called as an ASGI 3 app."""
    try:
        inspect.signature(thing).bind(*CALL)
    except TypeError:
        return False
    except ValueError:
        return True
    return not takes_env(thing)


def item_of(answer: Answer) -> str | None:
    """Return the item that an answer has acknowledged: its number, where it had handed anything in."""
    request = answer.request
    return (
        str(answer.number) if answer.ok and request.method not in READING and request.has_number() else None
    )


def taking_app(stored: Callable[..., Iterable[Any]]) -> Callable[[Any], Iterable[Any]]:
    """Return a function of the app that returns what is stored."""
    return stored if takes_env(stored) else lambda _: stored()
