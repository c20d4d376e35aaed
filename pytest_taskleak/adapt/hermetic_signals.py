"""What does a simulated process do with signals: which handlers has it, and what does a signal come to?

The handlers are the run's alone.  Those of the real process are neither changed nor called: what a service
installs is put down here, as `signal.signal` and asyncio would have it, and forgotten with the loop.
"""

from __future__ import annotations

import asyncio
import dis
import errno
import inspect
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from pytest_taskleak.adapt.hermetic_refusing import HermeticError


def numbers(*names: str) -> frozenset[int]:
    """Return the numbers of those signals that this system has."""
    return frozenset(int(getattr(signal, name)) for name in names if hasattr(signal, name))


UNCATCHABLE = numbers("SIGKILL", "SIGSTOP")
HARMLESS = numbers("SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH")
"""Signals that do nothing to a process that does not handle them."""
STOPPING = numbers("SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU")
"""Signals that stop such a process, and do not end it."""
IGNORED = numbers("SIGPIPE", "SIGXFSZ")
"""Signals that Python ignores from its start on."""
RAISE = dis.opmap["RAISE_VARARGS"]


class SignalDeath(RuntimeError):
    """A signal came that nobody handles: the process would have ended."""


class Reraised(SignalDeath, HermeticError):
    """The service has handled a signal, and then sent it to itself to end by it, as servers do."""


class Delivery(asyncio.Handle):
    """A call of a handler; if it ends the program, the main task is cancelled, as asyncio's runner does."""

    __slots__ = ()

    def _run(self) -> None:
        loop: Any = self._loop  # type: ignore[attr-defined]
        try:
            super()._run()
        except SystemExit:
            loop.interrupt()
        except KeyboardInterrupt as error:
            if not raised_in_python(error):
                raise  # Ctrl-C of whoever runs the tests
            loop.interrupt()


class SignalHandling:
    """The part of a simulated loop that has to do with signals."""

    main: asyncio.Future[Any] | None
    """What the loop runs for, as a program's main task."""
    interrupt: Callable[[], object]
    """Does what Ctrl-C does to a program that does not handle it."""
    _signal_handlers: dict[int, Delivery]

    def begin_signals(self) -> None:
        """Begin with the handlers of a fresh process."""
        self.main = None
        self.interrupt = self._interrupted
        self._signal_handlers = {}
        self._installed: dict[int, Any] = {}
        self._handled: set[int] = set()

    def end_signals(self) -> None:
        """Forget all handlers."""
        self._signal_handlers.clear()
        self._installed.clear()
        self.main = None
        self.interrupt = nothing

    # --- the loop's handlers ------------------------------------------------------------------------

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:
        """Let a signal schedule a callback; see `asyncio.loop.add_signal_handler`.

        Raises:
            TypeError: it is no number, or the callback is a coroutine or makes one.
            ValueError: there is no such signal.
            RuntimeError: it cannot be caught, or the loop is closed.
        """
        if os.name == "nt":
            raise NotImplementedError  # as the loops of that system do
        if inspect.iscoroutine(callback) or inspect.iscoroutinefunction(callback):
            raise TypeError("coroutines cannot be used with add_signal_handler()")
        checked(sig)
        self._check_closed()  # type: ignore[attr-defined]
        if sig in UNCATCHABLE:
            raise RuntimeError(f"sig {sig} cannot be caught")
        self._signal_handlers[sig] = Delivery(callback, args, self, None)  # type: ignore[arg-type]
        self._installed[int(sig)] = by_the_loop

    def remove_signal_handler(self, sig: int) -> bool:
        """Take a handler away, and return whether there was one; see `asyncio.loop.remove_signal_handler`.

        Raises: as `add_signal_handler`.
        """
        if os.name == "nt":
            raise NotImplementedError
        checked(sig)
        if self._signal_handlers.pop(sig, None) is None:
            return False
        self._installed[int(sig)] = signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL
        return True

    # --- the process's handlers ---------------------------------------------------------------------

    def set_signal(self, number: int, handler: Any) -> Any:
        """Do what `signal.signal` does, and return the handler before.

        Raises: as `signal.signal`.
        """
        before = self.get_signal(number)
        plain = isinstance(handler, int) and handler in (signal.SIG_DFL, signal.SIG_IGN)
        if not plain and not callable(handler):
            raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
        if number in UNCATCHABLE:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._installed[int(number)] = handler
        return before

    def get_signal(self, number: int) -> Any:
        """Do what `signal.getsignal` does.

        Raises: as `signal.getsignal`.
        """
        if not 0 < number < signal.NSIG:
            raise ValueError("signal number out of range")
        known = self._installed.get(int(number))
        if known is not None:
            return known
        if number == signal.SIGINT:
            return signal.default_int_handler
        return signal.SIG_IGN if number in IGNORED else signal.SIG_DFL

    def handles(self, number: int) -> bool:
        """Tell whether a signal would reach a handler."""
        handler = self.get_signal(number)
        if handler is by_the_loop:
            handle = self._signal_handlers.get(number)
            return handle is not None and not handle.cancelled()
        return not isinstance(handler, int)

    # --- a signal comes -----------------------------------------------------------------------------

    def send_signal(self, number: int, *, at_once: bool = False) -> None:
        """Let a signal come from outside of the program, between two callbacks.

        Parameters:
            number: of the signal.
            at_once: whether no callback runs; else a handler of `signal.signal` is the next one.

        Raises:
            ValueError: there is no such signal.
            SignalDeath: nobody handles it: the process would have ended.
        """
        handler = self._accepted(number)
        if handler is not None:
            delivery = Delivery(handler, (number, None), self, None)  # type: ignore[arg-type]
            if at_once:
                delivery._run()
            else:
                self._ready.appendleft(delivery)  # type: ignore[attr-defined]

    def raise_signal(self, number: int) -> None:
        """Let the code that runs send a signal to its own process: its handler is called at once.

        Raises: as `send_signal`, and what the handler raises.
        """
        handler = self._accepted(number)
        if handler is not None:
            handler(number, frame_of_sender())

    def _accepted(self, number: int) -> Any:
        """Do what a signal does but for the handler of `signal.signal`, which is returned if there is one."""
        checked(number)
        handler = signal.SIG_DFL if number in UNCATCHABLE else self.get_signal(number)
        if handler is signal.default_int_handler:
            self.interrupt()
            return None
        if isinstance(handler, int):
            if handler == signal.SIG_DFL and number not in HARMLESS:
                raise self._death(number)
            return None
        self._handled.add(int(number))
        handle = self._signal_handlers.get(number)
        if handle is not None and handle.cancelled():
            self.remove_signal_handler(number)
        elif handle is not None:  # also beside one of `signal.signal`: the loop hears of every signal
            self._ready.append(handle)  # type: ignore[attr-defined]
        return None if handler is by_the_loop else handler

    def _death(self, number: int) -> SignalDeath:
        name = signal.Signals(number).name
        end = "been stopped" if number in STOPPING else "ended"
        if number in self._handled:
            return Reraised(f"{name} once more, which nobody handles now: the process would have {end}")
        return SignalDeath(
            f"{name}: nobody handles it at this moment, and the process would have {end}; install a handler "
            f"with loop.add_signal_handler() or signal.signal() before it comes"
        )

    def _interrupted(self) -> None:
        if self.main is None or self.main.done():
            raise self._death(signal.SIGINT)
        self.main.cancel()


def frame_of_sender() -> Any:
    """Return the frame that has sent a signal to its own process."""
    frame: Any = sys._getframe(1)
    while frame.f_globals.get("__name__", "").startswith("pytest_taskleak.adapt."):
        frame = frame.f_back
    return frame


def by_the_loop(_number: int, _frame: Any) -> None:
    """Stand where a loop hands a signal on, as a function of asyncio's own does."""


def nothing() -> None:
    """Do nothing."""


def checked(number: Any) -> None:
    """Refuse what is no signal, as loops do.

    Raises:
        TypeError: it is no number.
        ValueError: there is no such signal.
    """
    if not isinstance(number, int):
        raise TypeError(f"sig must be an int, not {number!r}")
    if number not in signal.valid_signals():
        raise ValueError(f"invalid signal number {number}")


def raised_in_python(error: BaseException) -> bool:
    """Tell whether a line of Python has raised an error, and not the interpreter between two of them."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_code[trace.tb_lasti] == RAISE
