"""What does an object hold by name, and what is its class called, without asking either of them?

Descriptors of `object` and `type` are called by hand, so that neither `__getattribute__`, nor a property, nor
a metaclass takes part.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import (
    AsyncGeneratorType,
    CoroutineType,
    FrameType,
    GeneratorType,
    MemberDescriptorType,
)
from typing import Any

from pytest_taskleak.safely import class_dict, is_a, mro_of

NAMES = (
    (CoroutineType, "cr_frame", "cr_await"),
    (GeneratorType, "gi_frame", "gi_yieldfrom"),
    (AsyncGeneratorType, "ag_frame", "ag_await"),
)
SUSPENDED = tuple(kind for kind, *_ in NAMES)
LINKS = frozenset({
    "coroutine_wrapper", "async_generator_asend", "async_generator_athrow", "anext_awaitable", "FutureIter",
})  # fmt: skip
"""C types between two coroutines."""

_NAME = type.__dict__["__name__"].__get__
_QUALNAME = type.__dict__["__qualname__"].__get__


def exactly(thing: Any, kinds: Iterable[type]) -> bool:
    """Tell whether a thing is of one of the types itself.

    `type(thing) in kinds` would compare or hash the type, which its metaclass answers.
    """
    kind = type(thing)
    return any(kind is one for one in kinds)


def slot_of(thing: Any, held: Any) -> str | None:
    """Return the slot that holds a thing."""
    for kind in mro_of(type(thing)):
        for name, member in list(class_dict(kind).items()):
            if type(member) is MemberDescriptorType:
                try:
                    if member.__get__(thing, type(thing)) is held:
                        return name
                except AttributeError:  # not filled
                    continue
    return None


def type_name(kind: type) -> str:
    """Return the qualified name of a class."""
    return str(_QUALNAME(kind))


def bare_name(kind: type) -> str:
    """Return the name of a class without those around it."""
    return str(_NAME(kind))


def frame_of(suspended: Any) -> FrameType | None:
    """Return the frame of a coroutine or generator; `None` once it has ended."""
    return next((getattr(suspended, name) for kind, name, _ in NAMES if is_a(suspended, kind)), None)


def awaited_by(suspended: Any) -> Any:
    """Return what a coroutine or generator awaits or delegates to."""
    return next((getattr(suspended, name) for kind, _, name in NAMES if is_a(suspended, kind)), None)
