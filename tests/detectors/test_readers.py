"""Readers and writers of loops: which are registered, which are a task's, and how are they told?"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import importlib
import socket
import threading
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_taskleak.adapt import asyncio_

if TYPE_CHECKING:
    from tests.detectors.conftest import Lab

LOOPS: dict[str, Any] = {"asyncio": asyncio}
with contextlib.suppress(ImportError):  # before any watch: what is imported in a test is not seen in it
    LOOPS["uvloop"] = importlib.import_module("uvloop")

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=list(LOOPS))
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    """A loop of either kind."""
    made: asyncio.AbstractEventLoop = LOOPS[request.param].new_event_loop()
    yield made
    for task in asyncio.all_tasks(made):
        task.cancel()
    asyncio_.turn(made, 3)
    made.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two connected sockets."""
    ours, other = socket.socketpair()
    yield ours, other
    ours.close()
    other.close()


class Client:
    """Has something to do when there is data."""

    def on_data(self, *args: Any) -> None:
        """Do nothing."""


def test_registered_until_removed(lab: Lab, loop: asyncio.AbstractEventLoop, pair: Pair) -> None:
    ours, other = pair
    loop.add_reader(ours, print)
    loop.add_writer(ours, print)
    loop.add_reader(other.fileno(), print)
    assert [(x.mode, x.number) for x in lab.live("reader")] == [
        ("reader", ours.fileno()),
        ("writer", ours.fileno()),
        ("reader", other.fileno()),
    ]
    loop.remove_reader(ours.fileno())
    assert [x.mode for x in lab.live("reader")] == ["writer", "reader"]
    loop.remove_writer(ours)
    loop.remove_reader(other)
    assert lab.live("reader") == []
    assert not loop.remove_reader(other)


def test_keywords_go_through(lab: Lab, loop: asyncio.AbstractEventLoop, pair: Pair) -> None:
    first = "fd" if isinstance(loop, asyncio.BaseEventLoop) else "fileobj"
    given: dict[str, Any] = {"callback": print, first: pair[0]}
    loop.add_reader(**given)
    (found,) = lab.live("reader")
    assert (found.number, lab.detector("reader").describe(found).what) == (pair[0].fileno(), "print")
    del given["callback"]
    loop.remove_reader(**given)
    assert lab.live("reader") == []
    with pytest.raises(TypeError):
        loop.add_reader(pair[0])  # type: ignore[call-arg]
    assert lab.live("reader") == []


def test_a_second_one_takes_the_place_of_the_first(
    lab: Lab, loop: asyncio.AbstractEventLoop, pair: Pair
) -> None:
    loop.add_reader(pair[0], print)
    loop.add_reader(pair[0], Client().on_data)
    (found,) = lab.live("reader")
    assert lab.detector("reader").describe(found).what == "Client.on_data"
    loop.remove_reader(pair[0])
    assert lab.live("reader") == []


def test_closed_under_it(lab: Lab, pair: Pair) -> None:
    loop = asyncio.SelectorEventLoop()
    loop.add_reader(pair[0], print)
    pair[0].close()
    (found,) = lab.live("reader")
    assert ("socket", "closed under it") in lab.detector("reader").describe(found).details
    assert loop.remove_reader(pair[0])
    assert lab.live("reader") == []
    loop.close()


def test_ends_with_its_loop(lab: Lab, pair: Pair) -> None:
    loop = asyncio.SelectorEventLoop()
    loop.add_reader(pair[0], print)
    (found,) = lab.live("reader")
    detector = lab.detector("reader")
    told = detector.ended(detector.describe(found), "close")
    assert (told.state, told.outlives) == ("was still registered when its loop was closed", False)
    loop.close()
    assert not detector.alive(found)


def test_a_loop_and_its_registrations_go_together(lab: Lab, pair: Pair) -> None:
    loop = asyncio.SelectorEventLoop()
    client = Client()
    loop.add_reader(pair[0], client.on_data, loop)
    gone = [weakref.ref(x) for x in (loop, client, *lab.live("reader"))]
    loop.remove_reader(pair[0])
    loop.close()
    del loop, client
    gc.collect()
    assert [ref() for ref in gone] == [None, None, None]


@pytest.mark.parametrize("how", ["future", "argument", "closure", "event"])
def test_a_waiting_task_answers_for_it(
    lab: Lab, loop: asyncio.AbstractEventLoop, pair: Pair, how: str
) -> None:
    future = loop.create_future()
    event = asyncio.Event()

    async def wait() -> None:
        await (event.wait() if how == "event" else future)

    task = loop.create_task(wait())
    asyncio_.turn(loop)
    callbacks: dict[str, tuple[Any, ...]] = {
        "future": (future.set_result, 1),
        "argument": (print, future),
        "closure": (lambda: future.set_result(1),),
        "event": (event.set,),
    }
    loop.add_reader(pair[0], *callbacks[how])
    assert lab.live("reader") == []
    task.cancel()
    asyncio_.turn(loop, 3)
    assert len(lab.live("reader")) == 1
    loop.remove_reader(pair[0])


def test_a_future_that_nobody_waits_for_answers_for_nothing(
    lab: Lab, loop: asyncio.AbstractEventLoop, pair: Pair
) -> None:
    loop.add_reader(pair[0], loop.create_future().set_result, 1)
    assert len(lab.live("reader")) == 1
    loop.remove_reader(pair[0])


def test_transports_have_none(lab: Lab, loop: asyncio.AbstractEventLoop, pair: Pair) -> None:
    transport, _ = loop.run_until_complete(loop.create_connection(asyncio.Protocol, sock=pair[0]))
    assert lab.live("reader") == []
    with pytest.raises(RuntimeError):
        loop.add_reader(pair[0].fileno(), print)
    assert lab.live("reader") == []
    transport.close()
    asyncio_.turn(loop, 2)


def test_describe_and_remove(lab: Lab, loop: asyncio.AbstractEventLoop, pair: Pair) -> None:
    client = Client()
    loop.add_writer(pair[0], functools.partial(client.on_data, 1))
    (found,) = lab.live("reader")
    detector = lab.detector("reader")
    told = detector.describe(found)
    assert (told.code, told.noun, told.name) == ("TL541", "writer", "Client.on_data")
    assert told.details == (("socket", "unix"),)
    assert tuple(detector.keeper(found)) == (found, client)
    assert tuple(detector.parts(found)) == (pair[0],)
    assert detector.loop(found) is loop
    assert "remove_writer" in detector.advice(told)
    detector.remove(found)
    assert lab.live("reader") == []
    assert not loop.remove_writer(pair[0])


def test_a_bare_number_is_told(lab: Lab, loop: asyncio.AbstractEventLoop, pair: Pair) -> None:
    loop.add_reader(pair[0].fileno(), print)
    (found,) = lab.live("reader")
    assert lab.detector("reader").describe(found).details == (("fd", str(pair[0].fileno())),)
    loop.remove_reader(pair[0].fileno())


def test_remove_from_another_thread(lab: Lab, loop: asyncio.AbstractEventLoop, pair: Pair) -> None:
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    gone = threading.Event()
    loop.call_soon_threadsafe(loop.add_reader, pair[0], print)
    loop.call_soon_threadsafe(gone.set)
    assert gone.wait(10)
    (found,) = [
        x for births in lab.scope.births.values() for e in births if (x := e()) and hasattr(x, "mode")
    ]
    lab.detector("reader").remove(found)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    assert not lab.detector("reader").alive(found)
