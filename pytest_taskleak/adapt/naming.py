"""How does the code that waits call the thing that it waits for: `dst`, `self.queue`, `app.POOL`?

The thing is looked for by identity; no source is read and nothing of it is evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from types import CodeType, FrameType, MemberDescriptorType, ModuleType
from typing import Any

from pytest_taskleak.adapt.links import locals_of
from pytest_taskleak.safely import class_dict, is_a, mro_of, own_dict

MOST = 300
"""How many things are compared before the search is given up."""
MOST_ITEMS = 60
"""How many items of one container are looked at."""
LONGEST_KEY = 40

Named = tuple[str, Any]


def dict_of(thing: Any) -> dict[str, Any]:
    """Return the attributes that an instance has of its own; a property `__dict__` is not run."""
    return own_dict(thing) or {}


def slots_of(thing: Any) -> Iterator[Named]:
    """Yield (name, value) of the slots of an instance that are filled."""
    for kind in mro_of(type(thing)):
        for name, found in list(class_dict(kind).items()):
            if is_a(found, MemberDescriptorType) and name not in ("__dict__", "__weakref__"):
                try:
                    yield name, found.__get__(thing)
                except AttributeError:
                    continue


def attributes(thing: Any, wanted: Iterable[str]) -> Iterator[Named]:
    """Yield (name, value) of those attributes of an instance, a class or a module that are wanted."""
    if is_a(thing, type):
        own, kinds = {}, mro_of(thing)
    else:
        own = {**dict(slots_of(thing)), **dict_of(thing)}
        kinds = () if is_a(thing, ModuleType) else mro_of(type(thing))
    for name in wanted:
        if name in own:
            yield name, own[name]
            continue
        for kind in kinds:
            if name in class_dict(kind):
                yield name, class_dict(kind)[name]
                break


def every_attribute(thing: Any) -> Iterator[Named]:
    """Yield (name, value) of the attributes that an instance has of its own."""
    if not is_a(thing, (type, ModuleType)):
        yield from slots_of(thing)
        yield from islice(((n, v) for n, v in list(dict_of(thing).items()) if type(n) is str), MOST_ITEMS)


def items(container: Any) -> Iterator[Named]:
    """Yield (key in brackets, value) of a dictionary, list or tuple, with plain keys only."""
    if is_a(container, dict):
        for key, value in islice(dict.items(container), MOST_ITEMS):
            if type(key) in (str, int) and len(str(key)) <= LONGEST_KEY:
                yield f"[{key!r}]", value
    elif is_a(container, (list, tuple)):
        every = list.__iter__(container) if is_a(container, list) else tuple.__iter__(container)
        yield from ((f"[{index}]", value) for index, value in enumerate(islice(every, MOST_ITEMS)))


def places(names: dict[str, Any], code: CodeType, names_of_module: dict[str, Any]) -> Iterator[Named]:
    """Yield what the code of a frame can call by a short name, the plainest first.

    Parameters:
        names: the local variables; the first is most often `self`.
        code: what it mentions (`co_names`) comes before all else.
        names_of_module: the globals; only what the code mentions is looked at.
    """
    local = [(name, value) for name, value in names.items() if name.isidentifier()]
    yield from local
    of_locals = [(f"{n}.{a}", v) for n, x in local for a, v in attributes(x, code.co_names)]
    yield from of_locals
    shared = [(name, names_of_module[name]) for name in code.co_names if name in names_of_module]
    yield from shared
    of_shared = [(f"{n}.{a}", v) for n, x in shared for a, v in attributes(x, code.co_names)]
    yield from of_shared
    yield from ((f"{n}.{a}", v) for n, x in local for a, v in every_attribute(x))
    for prefix, container in (*local, *of_locals, *shared, *of_shared):
        yield from ((prefix + key, value) for key, value in items(container))
    for prefix, thing in (*of_locals, *of_shared):  # `self.pool.permits`
        yield from ((f"{prefix}.{a}", v) for a, v in attributes(thing, code.co_names))


def name_in(frame: FrameType, things: Iterable[Any]) -> str:
    """Return how the code of a frame calls the first of `things` that it has a name for.

    Parameters:
        frame: a suspended frame.
        things: what is looked for; they are compared by identity only.
    """
    try:
        names, globals_ = locals_of(frame), frame.f_globals
        for thing in things:
            if thing is None:
                continue
            for name, value in islice(places(names, frame.f_code, globals_), MOST):
                if value is thing:
                    return name
    except Exception:  # noqa: BLE001 -- another thread changes a container; an odd object
        return ""
    return ""
