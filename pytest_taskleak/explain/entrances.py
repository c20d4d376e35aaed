"""Which objects does a search for holders pass through, and to what do they lead?"""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections import deque
from collections.abc import Iterable
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from pytest_taskleak.adapt.code import USER, names_of
from pytest_taskleak.explain.keepers import HARNESSES, is_of
from pytest_taskleak.safely import class_dict, module_name

MOST_ITEMS = 5_000
"""Items of a container up to which it is entered; one of a million costs more than the rest together."""
ATOMS = (str, bytes, int, float, complex, bool, type(None), range, CodeType, bytearray)
CLOSED = (
    *(ModuleType, FrameType, asyncio.AbstractEventLoop, asyncio.Future, logging.Logger, logging.Manager),
    *(weakref.ref, property, staticmethod, classmethod),
)
"""What a walk does not pass through: what merely waits for a thing, or refers to all there is."""
CLOSED_MODULES = HARNESSES | {"_frozen_importlib", "_frozen_importlib_external", "importlib", "typing", "re"}
FUTURES = (asyncio.Future, asyncio.futures.Future)
SIZED = (list, dict, tuple, set, frozenset, deque)


class Entrances:
    """Which objects does a walk pass through?  Decided once for each type, for the length of one search."""

    def __init__(self) -> None:
        self.known: dict[int, Any] = {
            id(kind): False for kind in ATOMS
        }  # a metaclass may refuse to be hashed
        self.modules: dict[str, bool] = {}

    def weight(self, thing: Any) -> int:
        """Return how much it costs to go on to what this object refers to; 0 where a walk does not."""
        kind = type(thing)
        answer = self.known.get(id(kind))
        if answer is None:
            answer = self.known[id(kind)] = self.decide(kind)
        if answer is True or answer is False:
            return int(answer)
        if answer is type:
            return int(self.users(thing))
        size: int = answer.__len__(thing)
        return size + 1 if size <= MOST_ITEMS else 0  # an empty one may have attributes

    def decide(self, kind: type) -> Any:
        """Return an answer for a type; `type` for classes, a built-in type where the size decides."""
        if issubclass(kind, type):
            return type
        if issubclass(kind, asyncio.Future) and not issubclass(kind, asyncio.Task):
            return not any(kind is one for one in FUTURES)  # a `gather()` holds its children
        if issubclass(kind, CLOSED) or module_name(kind).partition(".")[0] in CLOSED_MODULES:
            return False
        return next((base for base in SIZED if issubclass(kind, base)), True)

    def users(self, kind: type) -> bool:
        """Tell whether a class is written by the user."""
        name = module_name(kind)
        if name not in self.modules:
            self.modules[name] = is_of(name, USER)
        return self.modules[name]


def expand(things: Iterable[Any]) -> list[Any]:
    """Return what some objects refer to; of functions no globals, of classes and modules the names."""
    found: list[Any] = []
    plain: list[Any] = []
    for thing in things:
        kind = type(thing)
        if kind is FunctionType:
            parts = (thing.__closure__, thing.__defaults__, thing.__kwdefaults__, thing.__dict__)
            found += [part for part in parts if part]
        elif issubclass(kind, ModuleType):
            found.append(names_of(thing))
        elif issubclass(kind, type):
            found += class_dict(thing).values()
        else:
            plain.append(thing)
    return found + gc.get_referents(*plain)
