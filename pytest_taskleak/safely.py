"""How is an object of the user looked at without running any of its code?

`isinstance` asks for `__class__`, which a lazy proxy answers by waking up; so only types are asked, and the
descriptors of `type` are called by hand, so that neither a metaclass nor a property takes part.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any, TypeGuard

_DICT = type.__dict__["__dict__"].__get__
_MRO = type.__dict__["__mro__"].__get__
_MODULE = type.__dict__["__module__"].__get__
_ABSENT = object()


def is_a(thing: object, kinds: Any) -> TypeGuard[Any]:
    """Tell whether a thing is of one of `kinds` by its real type.

    Parameters:
        thing: any object of the user.
        kinds: a class, a union or a tuple of classes.
    """
    return issubclass(type(thing), kinds)


def mro_of(kind: type) -> tuple[type, ...]:
    """Return a class and its bases, in the order in which they are asked."""
    return _MRO(kind) or ()


def class_dict(kind: type) -> Mapping[str, Any]:
    """Return the names that a class itself defines."""
    found: Mapping[str, Any] = _DICT(kind)
    return found


def class_value(kind: type, name: str, default: Any = None) -> Any:
    """Return what a class or one of its bases defines under a name."""
    return next((class_dict(base)[name] for base in mro_of(kind) if name in class_dict(base)), default)


def module_name(kind: type) -> str:
    """Return the module of a class; empty where it is not told."""
    try:
        found = _MODULE(kind)
    except AttributeError:
        return ""
    return found if type(found) is str else ""


def own_dict(thing: Any) -> dict[Any, Any] | None:
    """Return the `__dict__` of an object, past whatever its class makes of that name."""
    found = class_value(type(thing), "__dict__")
    if type(found) is not GetSetDescriptorType and type(found) is not MemberDescriptorType:
        return None
    own = found.__get__(thing, type(thing))
    return own if is_a(own, dict) else None


def attribute(thing: Any, name: str) -> Any:
    """Read an attribute of the instance or a slot; properties and `__getattr__` are not run."""
    own = own_dict(thing)
    if own is not None and type(own) is dict and name in own:
        return own[name]
    found = class_value(type(thing), name, _ABSENT)
    if found is _ABSENT and is_a(thing, type):
        return None if (found := class_value(thing, name, _ABSENT)) is _ABSENT else found
    if type(found) is GetSetDescriptorType or type(found) is MemberDescriptorType:
        try:
            return found.__get__(thing, type(thing))
        except (AttributeError, TypeError):  # an empty slot
            return None
    return None if found is _ABSENT or is_a(found, property) else found
