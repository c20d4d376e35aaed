"""Who waits for a child process of asyncio, and which registration of a loop serves one?

Private names of asyncio stand here once; where one is missing, nobody is found.
"""

from __future__ import annotations

import asyncio
import asyncio.base_subprocess
from asyncio import subprocess
from collections.abc import Callable, Iterator
from typing import Any

from pytest_taskleak.adapt import network
from pytest_taskleak.adapt.links import callbacks_of
from pytest_taskleak.adapt.wires import Patches
from pytest_taskleak.safely import attribute, is_a, own_dict

ChildTransport: Any = getattr(asyncio.base_subprocess, "BaseSubprocessTransport", ())
StreamProtocol: Any = getattr(subprocess, "SubprocessStreamProtocol", ())


def see_children(patches: Patches, seen: Callable[[Any], None]) -> None:
    """Tell from here on of each transport of a child process that is made or waited for."""

    def made(original: Any) -> Any:
        def __init__(transport: Any, /, *args: Any, **options: Any) -> None:  # noqa: N807 -- what it replaces
            original(transport, *args, **options)
            seen(transport)

        return __init__

    def waited(original: Any) -> Any:
        def _wait(transport: Any) -> Any:
            seen(transport)
            return original(transport)

        return _wait

    patches.replace(ChildTransport or None, "__init__", made)
    patches.replace(ChildTransport or None, "_wait", waited)


def child_of(key: Any) -> Any:
    """Return the transport of the child process that a registration serves: by its pipe, or by its exit."""
    for handle in key.data if type(key.data) is tuple else ():
        callback, args = attribute(handle, "_callback"), attribute(handle, "_args")
        owner = getattr(callback, "__self__", None)
        # A loop is not asked for its names: up to 3.12 that would slow it down.
        protocol = attribute(owner, "_protocol") if is_a(owner, asyncio.BaseTransport) else None
        if protocol is not None and network.serves_process(protocol):
            return attribute(protocol, "proc")
        last = args[-1] if type(args) is tuple and args else None
        if type(last) is tuple and last and is_a(last[0], ChildTransport):
            return last[0]
    return None


def has_streams(transport: Any) -> bool:
    """Tell whether a child process was started for `asyncio.subprocess.Process`, whose waiters are known."""
    return is_a(attribute(transport, "_protocol"), StreamProtocol)


def is_over(transport: Any) -> bool:
    """Tell whether a child process has ended and all its pipes are closed."""
    return attribute(transport, "_protocol") is None


def pid_of(transport: Any) -> int:
    """Return the number of a child process, 0 where it is not known."""
    pid = attribute(transport, "_pid")
    return pid if type(pid) is int else 0


def command_of(transport: Any) -> Any:
    """Return the command of a child process."""
    return attribute(attribute(transport, "_proc"), "args")


def waiters_of(transport: Any) -> Iterator[Any]:
    """Yield the pending futures by which somebody waits for a child process: its exit or one of its pipes.

    A protocol of the user's is asked for the futures, events, queues and streams that it holds.
    """
    for future in _candidates(transport):
        if is_a(future, asyncio.Future) and not asyncio.Future.done(future) and callbacks_of(future):
            yield future


def _candidates(transport: Any) -> Iterator[Any]:
    yield from list(attribute(transport, "_exit_waiters") or ())
    protocol = attribute(transport, "_protocol")
    for thing in list((own_dict(protocol) or {}).values()) if protocol is not None else ():
        if is_a(thing, asyncio.Future):
            yield thing
        elif is_a(thing, asyncio.StreamReader):
            yield attribute(thing, "_waiter")
        elif is_a(thing, asyncio.Queue):
            yield from list(attribute(thing, "_getters") or ())
        elif is_a(thing, asyncio.Event):
            yield from list(attribute(thing, "_waiters") or ())
    yield from list(attribute(protocol, "_drain_waiters") or ()) if protocol is not None else ()


def tasks_at(future: Any) -> list[Any]:
    """Return the tasks that a future wakes."""
    owners = (getattr(callback, "__self__", None) for callback in callbacks_of(future))
    return [owner for owner in owners if is_a(owner, asyncio.Task)]
