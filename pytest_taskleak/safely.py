"""How is an object of the user looked at without running any of its code?

`isinstance` asks for `__class__`, which a lazy proxy answers by waking up; so only types are asked.
"""

from __future__ import annotations

import inspect
from typing import Any, TypeGuard


def is_a(thing: object, kinds: Any) -> TypeGuard[Any]:
    """Tell whether a thing is of one of `kinds` by its real type.

    Parameters:
        thing: any object of the user.
        kinds: a class, a union or a tuple of classes.
    """
    return issubclass(type(thing), kinds)


def attribute(thing: Any, name: str) -> Any:
    """Read an attribute of the instance or a slot; properties and `__getattr__` are not run."""
    try:
        found = inspect.getattr_static(thing, name)
    except AttributeError:
        return None
    if inspect.ismemberdescriptor(found) or inspect.isgetsetdescriptor(found):
        try:
            return found.__get__(thing, type(thing))
        except AttributeError:
            return None
    return None if is_a(found, property) else found
