"""What of pytest's inside is read?  Each name with its fallback."""

from __future__ import annotations

import functools
import inspect
import sys
from types import CodeType, FrameType
from typing import Any

from pytest_taskleak.adapt.code import HARNESS, LIBRARY, kind_of

XUNIT = (
    ("_xunit_setup_module_fixture_", "setup_module of "),
    ("_xunit_setup_function_fixture_", "setup_function of "),
    ("_xunit_setup_class_fixture_", "setup_class of "),
    ("_xunit_setup_method_fixture_", "setup_method of "),
    ("_unittest_setUpClass_fixture_", "setUpClass of "),
    ("_unittest_setup_method_fixture_", "setup_method of "),
)
OWN = ("_pytest", "pytest_asyncio")
OWN_OR_PARTIAL = (*OWN, "functools")


def finalizers(fixturedef: Any) -> int:
    """Return how many finalizers a fixture has; one where that cannot be read."""
    return len(getattr(fixturedef, "_finalizers", (None,)))


def code_of(thing: Any) -> CodeType | None:
    """Return the code of a test item's function or of a fixture's, if it is Python."""
    function = getattr(thing, "function", None) or getattr(thing, "func", None)
    function = inspect.unwrap(function) if function is not None else None
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


def is_harness(fixturedef: Any) -> bool:
    """Tell whether a fixture is pytest's or pytest-asyncio's own."""
    func = fixturedef.func
    if not (getattr(func, "__module__", None) or "").startswith(OWN_OR_PARTIAL):
        return False
    if isinstance(func, functools.partial):
        func = func.func
    name = str(fixturedef.argname)
    own = str(getattr(func, "__module__", "")).split(".")[0] in OWN
    return own and not name.startswith(("_xunit_", "_unittest_"))


def is_plugins(fixturedef: Any) -> bool:
    """Tell whether a plugin lays a fixture around every test, unasked."""
    code = getattr(fixturedef.func, "__code__", None)
    installed = code is not None and kind_of(code.co_filename) in (LIBRARY, HARNESS)
    return installed and bool(getattr(fixturedef, "_autouse", False))


def readable(name: str) -> str:
    """Return the name that users know a fixture by."""
    if not name.startswith("_"):
        return name
    for prefix, words in XUNIT:
        if name.startswith(prefix):
            return words + name.removeprefix(prefix).rpartition(".")[2]
    return name


def value_of(fixturedef: Any) -> Any:
    """Return the live value of a fixture, or `None`."""
    cached = getattr(fixturedef, "cached_result", None)
    return cached[0] if cached else None


def cache_of(fixturedef: Any) -> Any:
    """Return the tuple in which pytest keeps the value of a fixture, or `None`."""
    return getattr(fixturedef, "cached_result", None)


def arguments_of(item: Any) -> Any:
    """Return the dictionary in which pytest keeps the arguments of a test, or `None`."""
    return getattr(item, "funcargs", None)


def instance_of(item: Any) -> Any:
    """Return the object whose method a test is, or `None`."""
    return getattr(item, "_instance", None)


def ini_keys(config: Any) -> list[str]:
    """Return the keys that stand in the ini file, none where that cannot be read."""
    keys = config._inicfg if hasattr(config, "_inicfg") else getattr(config, "inicfg", ())
    return [str(key) for key in keys]


def own_failure(item: Any) -> bool:
    """Tell whether a unittest item has failed; its exception does not come through the hook."""
    return bool(getattr(item, "_excinfo", None))


def forget_failure(item: Any) -> None:
    """Drop what a unittest item has failed with, so that what the hook raises is what is reported."""
    if own_failure(item):
        item._excinfo = None


def fixture_in(frame: FrameType | None) -> str:
    """Name the innermost fixture that is set up or torn down in a stack; empty if there is none."""
    while frame is not None:
        code = frame.f_code
        if code.co_name in ("execute", "finish") and code.co_qualname.startswith("FixtureDef."):
            definition = frame.f_locals.get("self")
            name, scope = getattr(definition, "argname", None), getattr(definition, "scope", "")
            return f"fixture {readable(str(name))!r} (scope {scope})" if name else ""
        frame = frame.f_back
    return ""


def is_command(frame: FrameType | None = None) -> bool:
    """Tell whether pytest was started as a command, and is still at work in a stack.

    Parameters:
        frame: the innermost frame of the main thread, else that of the caller counts.
    """
    frame = frame or sys._getframe(1)
    while frame is not None:
        if (
            frame.f_code.co_name in ("console_main", "_console_main")
            and kind_of(frame.f_code.co_filename) == HARNESS
        ):
            return True
        frame = frame.f_back
    return False


def awaits(item: Any, kind: type[BaseException]) -> bool:
    """Tell whether a test is marked to fail with this exception."""
    for mark in item.iter_markers("xfail"):
        raises = mark.kwargs.get("raises") or ()
        kinds = raises if isinstance(raises, tuple) else (raises,)
        if any(isinstance(k, type) and k is not Exception and issubclass(kind, k) for k in kinds):
            return True
    return False


def has_finalizers(item: Any) -> bool:
    """Tell whether code of the user was added to an item by `addfinalizer`."""
    stack = getattr(getattr(item.session, "_setupstate", None), "stack", {})
    functions = stack.get(item, ((), None))[0]
    own = [f for f in functions if not isinstance(f, functools.partial)]
    return len(own) > 1 or type(item).teardown is not _node_teardown(item)


def _node_teardown(item: Any) -> Any:
    for kind in type(item).__mro__:
        if "teardown" in vars(kind) and kind.__module__.startswith("_pytest."):
            return vars(kind)["teardown"]
    return type(item).teardown


def users_of(item: Any, name: str) -> set[Any]:
    """Return the fixtures of a test that ask for another one by its name; none where that cannot be read."""
    found = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    return {defs[-1] for defs in found.values() if defs and name in getattr(defs[-1], "argnames", ())}


def async_fixture_of(item: Any, name: str) -> Any:
    """Return the user's own function of an async fixture of a test, `None` for any other argument."""
    defs = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {}).get(name)
    function = inspect.unwrap(defs[-1].func) if defs else None
    wanted = inspect.isasyncgenfunction(function) or inspect.iscoroutinefunction(function)
    return function if wanted else None


def value_for(item: Any, name: str) -> Any:
    """Return what a test was given for an argument."""
    if name == "request":
        return getattr(item, "_request", None)
    if name == "self":
        return instance_of(item)
    return item.funcargs[name]


def body_of(item: Any) -> Any:
    """Return the function of a test as the user wrote it, bound where it is a method."""
    function = inspect.unwrap(getattr(item, "function", None) or item.obj)
    owner = instance_of(item)
    return function if owner is None else function.__get__(owner)
