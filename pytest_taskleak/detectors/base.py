"""What must a kind of resource be able to say of itself?

A detector knows one kind: how its births are seen, whether a thing still lives, how it is told and
how it is asked to end.  It knows nothing of owners, rules or pytest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any, ClassVar, Protocol

from pytest_taskleak import timing
from pytest_taskleak.model import Resource

Record = Callable[[Any, FrameType | None], None]
"""Writes down the birth of a thing, made by the code of this frame."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One replaced attribute.

    Parameters:
        targets: yields the classes or modules that have the attribute; asked again as imports go on.
        attribute: its name.
        wrap: takes the original, returns the replacement.
        without: what is not seen where the target or the attribute is absent.
    """

    targets: Callable[[], Iterable[Any]]
    attribute: str
    wrap: Callable[[Any], Any]
    without: str


class Recorder(Protocol):
    """Hands out the functions that write down births."""

    def __call__(self, kind: str, *, mark: bool) -> Record:
        """Return the recorder of a kind; `mark` also puts the record on the thing itself."""
        ...


class Detector:
    """The base of a kind; every method has a harmless default but `alive` and `describe`.

    Attributes:
        kind: the word for it in rules, options and reports.
        titles: message code -> what it means in a headline, e.g. "task outlived".
        collectable: whether the garbage collector may end it, so that a leftover is worth one run.
    """

    kind: ClassVar[str] = ""
    titles: ClassVar[Mapping[str, str]] = {}
    collectable: ClassVar[bool] = False

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        """Return the patches that see births of this kind."""
        return ()

    def alive(self, thing: Any) -> bool:
        """Tell whether a thing lives on and is not known to be innocent. Must be cheap."""
        raise NotImplementedError

    def loop(self, thing: Any) -> Any:
        """Return the loop whose turning could let the thing end, if there is one."""
        return None

    def patience(self, thing: Any) -> float:
        """Return the seconds that must pass before it can end by itself, as far as is known."""
        return 0.0

    def wait(self, thing: Any, seconds: float) -> None:
        """Let real time pass, at most `seconds`; return early when the thing ends."""
        timing.pause(seconds)

    def parts(self, thing: Any) -> Iterable[Any]:
        """Return other resources that are told under this one."""
        return ()

    def keeper(self, thing: Any) -> Iterable[Any]:
        """Return the objects that show whose it is: the thing, the object it works for."""
        return (thing,)

    def describe(self, thing: Any) -> Resource:
        """Return what is to be told, as strings."""
        raise NotImplementedError

    def idle(self, thing: Any) -> bool:
        """Tell whether a thing does nothing, so that it ends as soon as nobody keeps it."""
        return False

    def blocks_exit(self, thing: Any) -> bool:
        """Tell whether the process cannot end before the thing does."""
        return False

    def remove(self, thing: Any) -> bool:
        """Ask the thing to end, without waiting; tell whether it is worth waiting for."""
        return False

    def advice(self, resource: Resource) -> str:
        """Return one line of cure for a finding of this kind."""
        return "end it before the scope of its owner ends"

    def plant(self) -> contextlib.AbstractContextManager[Any]:
        """Make a thing of this kind that must be caught; unmake it on leaving."""
        return nothing_planted()


@contextlib.contextmanager
def nothing_planted() -> Iterator[None]:
    """Stand for the canary of a kind that brings none."""
    yield None
