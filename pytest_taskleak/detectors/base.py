"""What must a kind of resource be able to say of itself?

A detector knows one kind: how its births are seen, whether a thing still lives, how it is told and
how it is asked to end.  It knows nothing of owners, rules or pytest.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import Context
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any, ClassVar, Literal, Protocol

from pytest_taskleak import timing
from pytest_taskleak.model import Code, Resource

Ending = Literal["cancel", "close"]
"""What happens to a loop: its runner cancels what is left, or it is closed."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One replaced attribute.

    Parameters:
        targets: yields the classes or modules that have the attribute; asked again as imports go on.
        attribute: its name.
        wrap: takes the original, returns the replacement.
        without: what is not seen where the target or the attribute is absent.
        after: modules that bring a target when they are imported later, even inside a test.
    """

    targets: Callable[[], Iterable[Any]]
    attribute: str
    wrap: Callable[[Any], Any]
    without: str
    after: tuple[str, ...] = ()


class Record(Protocol):
    """Writes down the birth of a thing."""

    def __call__(self, thing: Any, frame: FrameType | None, parent: Any = None, /) -> None:
        """Write down a birth.

        Parameters:
            thing: what was made; it must allow weak references.
            frame: the code that made it.
            parent: what made it where no code of the user did, if that was recorded itself.
        """
        ...


class Lose(Protocol):
    """Writes down that something was lost; may be called while the collector runs."""

    def __call__(
        self,
        resource: Resource,
        *,
        thing: Any = None,
        future: Any = None,
        context: Context | None = None,
        frame: FrameType | None = None,
        name: str = "",
    ) -> None:
        """Charge a loss to its maker: of the thing, else of the context, else of the running code.

        Parameters:
            resource: what is to be told, as strings.
            thing: what was lost, if it may carry the record of its birth.
            future: what was lost is a future; its loop shows whose it is when nothing else does.
            context: the context in which it ran.
            frame: the code that lost it; believed only while the collector does not run.
            name: what the code of a test calls to make it, to find the line where no frame shows it.
        """
        ...


EndingOf = Callable[[Iterable[Any], Ending], None]
"""Writes down that things of a kind are left where their loop ends; for loops that are not asyncio's."""


class Recorder(Protocol):
    """Hands out the functions that write down births, losses and endings."""

    def __call__(self, kind: str, *, mark: bool) -> Record:
        """Return the recorder of a kind; `mark` also puts the record on the thing itself."""
        ...

    def losses(self, kind: str) -> Lose:
        """Return the function that writes down what was lost of a kind."""
        ...

    def endings(self, kind: str) -> EndingOf:
        """Return the function to call before a loop of another library than asyncio ends."""
        ...


class Detector:
    """The base of a kind; every method has a harmless default but `alive` and `describe`.

    Attributes:
        kind: the word for it in rules, options and reports.
        plural: the word for several of them, if an "s" is not enough.
        codes: message code -> its page; the kind's findings have one of these codes.
        rank: kinds with a lower one are told first.
        default: whether the kind is watched where nobody says otherwise.
        source: the kind whose births it looks at, if it records none of its own.
        collectable: whether the garbage collector may end it, so that a leftover is worth one run.
        carries: whether its births lead to the owner of what is made later, so that they are seen even
            where the kind is not judged.
        measured: whether it is counted at the ends of modules, instead of by births.
        tied: the endings of its loop that a thing does not outlive.
    """

    kind: ClassVar[str] = ""
    plural: ClassVar[str] = ""
    codes: ClassVar[Mapping[str, Code]] = {}
    rank: ClassVar[int] = 100
    default: ClassVar[bool] = True
    source: ClassVar[str] = ""
    collectable: ClassVar[bool] = False
    carries: ClassVar[bool] = False
    measured: ClassVar[bool] = False
    tied: ClassVar[tuple[Ending, ...]] = ()

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        """Return the patches that see births of this kind."""
        return ()

    def opened(self) -> None:
        """Take note that a test begins; costs every test, so only override it where it must be."""

    def snapshot(self) -> Any:
        """Return what there is now, for a kind that is measured."""
        return None

    def grown(self, before: Any, now: Any) -> Iterable[Resource]:
        """Return what there is now and was not before, for a kind that is measured."""
        return ()

    # --- looking --------------------------------------------------------------------------------

    def alive(self, thing: Any) -> bool:
        """Tell whether a thing lives on and is not known to be innocent. Must be cheap."""
        raise NotImplementedError

    def on_loop(self, loop: Any, ending: Ending) -> Iterable[Any]:
        """Yield what a loop itself knows of this kind, just before it ends; born or not."""
        return ()

    def loop(self, thing: Any) -> Any:
        """Return the loop whose turning could let the thing end, if there is one."""
        return None

    def patience(self, thing: Any) -> float:
        """Return the seconds that must pass before it can end by itself, as far as is known."""
        return 0.0

    def passing(self, thing: Any, seconds: float) -> bool:
        """Tell whether it was about to end within `seconds`, so that an ending loop took nothing away."""
        return False

    def wait(self, thing: Any, seconds: float) -> None:
        """Let real time pass, at most `seconds`; return early when the thing ends."""
        timing.pause(seconds)

    # --- judging --------------------------------------------------------------------------------

    def parts(self, thing: Any) -> Iterable[Any]:
        """Return other resources that are told under this one."""
        return ()

    def keeper(self, thing: Any) -> Iterable[Any]:
        """Return the objects that show whose it is: the thing, the object it works for."""
        return (thing,)

    def helper(self, thing: Any) -> bool:
        """Tell whether a library may start one such thing for the whole process and keep it."""
        return False

    def idle(self, thing: Any) -> bool:
        """Tell whether a thing does nothing, so that it ends as soon as nobody keeps it."""
        return False

    def blocks_exit(self, thing: Any) -> bool:
        """Tell whether the process cannot end before the thing does."""
        return False

    # --- telling --------------------------------------------------------------------------------

    def describe(self, thing: Any) -> Resource:
        """Return what is to be told, as strings."""
        raise NotImplementedError

    def ended(self, resource: Resource, ending: Ending) -> Resource:
        """Return what is told of a thing that was left on a loop when that ended."""
        when = "when its loop was closed" if ending == "close" else "when its runner closed"
        was = resource.state.removeprefix("is ") if resource.state.startswith("is ") else resource.state
        return replace(resource, state=f"was {was} {when}", outlives=False)

    def resisting(self, resource: Resource) -> Resource:
        """Return what is told of a thing that was asked to end on a live loop, and did not."""
        return resource

    def advice(self, resource: Resource) -> str:
        """Return one line of cure for a finding of this kind."""
        return "end it before the scope of its owner ends"

    # --- removing -------------------------------------------------------------------------------

    def remove(self, thing: Any) -> bool:
        """Ask the thing to end, without waiting; tell whether it is worth waiting for."""
        return False

    def insist(self, thing: Any) -> bool:
        """Ask once more, harder, after it was waited for in vain; tell whether to wait again."""
        return False

    def plant(self) -> contextlib.AbstractContextManager[Any]:
        """Make a thing of this kind that must be caught; unmake it on leaving."""
        return nothing_planted()


@contextlib.contextmanager
def nothing_planted() -> Iterator[None]:
    """Stand for the canary of a kind that brings none."""
    yield None
