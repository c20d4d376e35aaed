"""Which calls about signals does a simulated process answer, in place of the one that runs the tests?

While a storm is under way they look which loop runs; on any other, and in any other thread, they do what they
always do.  Modules of the user that hold one by a name of their own, as after `from os import kill`, get what
stands in its place; who keeps one elsewhere has the real one.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import importlib
import operator
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from typing import Any

from pytest_taskleak.adapt.code import USER, kind_of
from pytest_taskleak.adapt.hermetic import HermeticLoop

REFUSED = {
    ("signal", "set_wakeup_fd"): "signal.set_wakeup_fd(), which is a loop's own business,",
    ("signal", "setitimer"): "signal.setitimer(), in place of loop.call_later(),",
    ("signal", "alarm"): "signal.alarm(), in place of loop.call_later(),",
    ("signal", "pause"): "signal.pause()",
    ("signal", "sigwait"): "signal.sigwait()",
    ("signal", "sigwaitinfo"): "signal.sigwaitinfo()",
    ("signal", "sigtimedwait"): "signal.sigtimedwait()",
    ("signal", "pthread_sigmask"): "signal.pthread_sigmask()",
    ("signal", "pthread_kill"): "signal.pthread_kill()",
    ("signal", "pidfd_send_signal"): "signal.pidfd_send_signal()",
    ("os", "killpg"): "os.killpg()",
}
"""Module and name of what is refused -> what it is called there."""


def kill(loop: HermeticLoop, pid: int, number: int, /) -> None:
    """Send a signal to the simulated process; any other one is outside."""
    if pid != os.getpid():
        loop._refuse("os.kill() of another process")
    if number:
        raise_signal(loop, number)


def raise_signal(loop: HermeticLoop, number: int, /) -> None:
    """Send a signal to the simulated process."""
    number = operator.index(number)
    if number not in signal.valid_signals():
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    loop.raise_signal(number)


ANSWERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("_signal", "signal"): HermeticLoop.set_signal,
    ("_signal", "getsignal"): HermeticLoop.get_signal,
    ("signal", "raise_signal"): raise_signal,
    ("signal", "siginterrupt"): lambda _loop, _number, _flag, /: None,
    ("os", "kill"): kill,
}
"""Module and name -> what answers for the simulated process."""


def refusing(told: str) -> Callable[..., Any]:
    """Return what refuses a call."""
    return lambda loop, *_args, **_options: loop._refuse(told)


def install() -> list[Callable[[], None]]:
    """Let the simulated process answer; return what undoes it, piece by piece."""
    answers = {**ANSWERS, **{place: refusing(told) for place, told in REFUSED.items()}}
    undo, instead = [], {}
    for (name, attribute), answer in answers.items():
        module = importlib.import_module(name)
        original = getattr(module, attribute, None)
        if original is not None:  # not every system has each
            function = answered(original, answer)
            instead[id(original)] = function
            undo.append(put(module, attribute, original, function))
    for module, attribute, original in held(instead):
        undo.append(put(module, attribute, original, instead[id(original)]))
    return undo


def answered(original: Callable[..., Any], answer: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that is answered where a simulated loop runs."""

    @functools.wraps(original)
    def function(*args: Any, **options: Any) -> Any:
        loop = asyncio._get_running_loop()
        if isinstance(loop, HermeticLoop):
            return answer(loop, *args, **options)
        return original(*args, **options)

    return function


def held(wanted: Collection[int]) -> Iterator[tuple[Any, str, Any]]:
    """Yield where modules of the user hold functions: module, name and function.

    Parameters:
        wanted: the numbers of the functions, as `id` gives them.
    """
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and kind_of(file) == USER:
            for name, value in list(vars(module).items()):
                if id(value) in wanted:
                    yield module, name, value


def put(module: Any, name: str, original: Any, function: Any) -> Callable[[], None]:
    """Put a function in the place of another one; return what undoes it."""
    setattr(module, name, function)

    def undo() -> None:
        if getattr(module, name, None) is function:  # nobody else has replaced it since
            setattr(module, name, original)

    return undo
