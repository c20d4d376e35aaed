"""What must every kind keep to?  The public kit says so; here it is held against our own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_taskleak.detectors import built_in
from pytest_taskleak.detectors.base import Detector
from pytest_taskleak.engine.losses import Recording
from pytest_taskleak.testing import check_detector

KINDS = [d.kind for d in built_in()]
Make = Callable[[], contextlib.AbstractContextManager[Any]]


@contextlib.contextmanager
def failed_task() -> Iterator[Any]:
    """A task whose exception nobody retrieves."""
    loop = asyncio.new_event_loop()

    async def fail() -> None:
        raise LookupError("nobody asks")

    task = loop.create_task(fail())
    loop.call_soon(loop.stop)
    loop.run_forever()
    try:
        yield task
    finally:
        task.exception()
        loop.close()


async def hello() -> str:
    """Nothing to wait for."""
    return "hello"


@contextlib.contextmanager
def never_awaited() -> Iterator[None]:
    """A coroutine that is dropped."""
    hello()  # type: ignore[unused-coroutine]
    yield None


@contextlib.contextmanager
def closed_coroutine() -> Iterator[None]:
    """A coroutine that is given back properly."""
    hello().close()
    yield None


@contextlib.contextmanager
def child() -> Iterator[Any]:
    """A child process that waits for its input to end."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def open_file() -> Iterator[None]:
    """A descriptor that is open."""
    with tempfile.TemporaryFile():
        yield None


@contextlib.contextmanager
def one_socket() -> Iterator[socket.socket]:
    """A single socket, where the canary is a pair."""
    with socket.socket() as made:
        yield made


LEAKS: dict[str, dict[str, Make]] = {
    "exception": {"leak": failed_task},
    "coroutine": {"leak": never_awaited, "innocent": closed_coroutine},
    "process": {"leak": child},
    "fd": {"leak": open_file},
    "socket": {"leak": one_socket},
}
"""The leaks of kinds whose canary is none, or not one thing alone."""


def test_kinds_in_order() -> None:
    assert [k for k in KINDS if k in ("task", "timer", "thread", "executor")] == [
        "task", "timer", "thread", "executor",
    ]  # fmt: skip
    assert [d.rank for d in built_in()] == sorted(d.rank for d in built_in())


@pytest.mark.filterwarnings("default:coroutine 'hello' was never awaited:RuntimeWarning")
@pytest.mark.parametrize("detector", built_in(), ids=KINDS)
def test_kind_keeps_every_rule(detector: Detector) -> None:
    check_detector(detector, **LEAKS.get(detector.kind, {}))


def test_no_two_kinds_share_a_code() -> None:
    codes = [code for detector in built_in() for code in detector.codes]
    assert sorted(set(codes)) == sorted(codes)


def test_defaults_are_harmless() -> None:
    class Plain(Detector):
        kind = "plain"

    plain, thing = Plain(), object()
    assert list(plain.patches(Recording())) == []
    assert plain.loop(thing) is None
    assert plain.patience(thing) == 0.0
    assert list(plain.parts(thing)) == []
    assert list(plain.keeper(thing)) == [thing]
    assert plain.remove(thing) is False
    assert plain.insist(thing) is False
    with plain.plant() as planted:
        assert planted is None
    with pytest.raises(NotImplementedError):
        plain.alive(thing)
    with pytest.raises(NotImplementedError):
        plain.describe(thing)
