"""Which coroutines were made and never awaited?

The interpreter notices it when the coroutine dies and warns.  The warning passes here first: the code
that runs at that moment has dropped the coroutine, mostly on the very line that lacks an `await`.
"""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from pytest_taskleak.adapt import exceptions
from pytest_taskleak.adapt.awaiting import frame_at
from pytest_taskleak.adapt.code import module_of
from pytest_taskleak.detectors.base import Detector, Patch, Recorder
from pytest_taskleak.model import Code, Resource


class Coroutines(Detector):
    """Coroutines that were never awaited."""

    kind = "coroutine"
    plural = "coroutines never awaited"
    rank = 93
    codes: ClassVar = {
        "TL711": Code(
            title="coroutine never awaited",
            meaning="A coroutine was made by calling its function, and died without having run.",
            cause="A missing await; an AsyncMock called by synchronous code; no task was made of it.",
            cure="Await the call, make a task of it, or close() the coroutine that is not wanted.",
        ),
    }

    def __init__(self) -> None:
        self.recorder: Any = None

    def patches(self, recorder: Recorder) -> Iterable[Patch]:
        lose = recorder.losses(self.kind)
        self.opened()

        def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
            warn = exceptions.one_frame_up(original)

            def _warn_unawaited_coroutine(coroutine: Any, /) -> Any:
                with contextlib.suppress(Exception):  # the warning must be given in any case
                    if not self.expected(coroutine):
                        frame = sys._getframe(1)
                        lose(told(coroutine), frame=frame, name=coroutine.__name__)
                return warn(coroutine)

            return _warn_unawaited_coroutine

        yield Patch(lambda: [warnings], "_warn_unawaited_coroutine", wrap, "coroutines never awaited")

    def opened(self) -> None:
        if exceptions.BY_CONTEXT:
            self.recorder = exceptions.recorder()
        else:  # the same without a call: every test pays for it
            self.recorder = id(warnings._showwarnmsg_impl), id(warnings.showwarning)  # type: ignore[attr-defined]  # noqa: SLF001

    def expected(self, coroutine: Any) -> bool:
        """Tell whether the test catches such warnings itself, or a filter ignores them."""
        if exceptions.recorder() != self.recorder:
            return True
        text = f"coroutine '{coroutine.__qualname__}' was never awaited"
        frame = sys._getframe(2)
        module = frame.f_globals.get("__name__", "")
        return exceptions.is_ignored(RuntimeWarning, text, module, frame.f_lineno)

    def alive(self, thing: Any) -> bool:
        return False  # what is lost does not live

    def describe(self, thing: Any) -> Resource:
        return told(thing)

    def advice(self, resource: Resource) -> str:
        return "await it where it is called, or close() it"


def told(coroutine: Any) -> Resource:
    """Tell of a coroutine that never ran."""
    code = coroutine.cr_code
    return Resource(
        code="TL711",
        name=coroutine.__qualname__,
        what=coroutine.__qualname__,
        module=module_of(code),
        state="was never awaited",
        role="coroutine",
        outlives=False,
        waiting=(frame_at(code, code.co_firstlineno),),
        where="defined",
    )


detector = Coroutines()
