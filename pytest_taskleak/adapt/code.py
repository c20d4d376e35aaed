"""To whom does a source file belong: the user, a library, asyncio, or the test harness?

The answer is needed for every frame of every birth, so it is one dictionary look-up by file name.
"""

import asyncio
import os
import sys
import sysconfig
from collections.abc import Iterable
from functools import cache
from types import CodeType

USER, LIBRARY, HARNESS, SKIP, LOOP = range(5)
"""Kinds of file: told; told after the user's; ends the user's code; passed over; ends a loop's step.

Those from `SKIP` on are passed over where a birth begins."""

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ASYNCIO = os.path.dirname(os.path.abspath(asyncio.__file__))
STDLIB = tuple({os.path.abspath(sysconfig.get_paths()[k]) for k in ("stdlib", "platstdlib")})
SITE = ("site-packages", "dist-packages")
HARNESSES = (
    *("_pytest", "pytest", "pluggy", "pytest_asyncio", "xdist", "execnet", "pytest_aiohttp"),
    *("coverage", "pytest_cov", "pytest_timeout"),
)
DEBUGGERS = frozenset({"debugpy", "pydevd", "pydevd.py", "_pydevd_bundle", "_pydev_bundle", "pydev"})
"""Folders and files of debuggers; editors bring them along, outside of any `site-packages`."""
LOOPS = (
    "events.py",
    "base_events.py",
    "runners.py",
    "unix_events.py",
    "windows_events.py",
    "selector_events.py",
)
BOOTSTRAP = (os.path.join("unittest", "case.py"), os.path.join("unittest", "async_case.py"), "<frozen runpy>")


FILES: dict[str, int] = {}
"""File name -> kind; a plain dictionary, because each frame of each birth asks it."""


def kind_of(path: str) -> int:
    """Return the kind of a source file, worked out once."""
    kind = FILES.get(path)
    if kind is None:
        kind = FILES[path] = classify(path)
    return kind


def claim(paths: Iterable[str]) -> None:
    """Call these files the user's own, wherever they are installed."""
    FILES.update(dict.fromkeys(paths, USER))


def classify(path: str) -> int:
    """Return the kind of one source file."""
    # Plain string work: tools that forbid blocking calls in a loop count `os.path.abspath` as one.
    if path.startswith("<"):
        return USER if path.startswith(("<stdin", "<doctest")) else SKIP
    full = path
    if full.startswith(PACKAGE + os.sep):
        return SKIP
    if full.endswith(BOOTSTRAP):
        return HARNESS
    if full.startswith(ASYNCIO + os.sep):
        return LOOP if os.path.basename(full) in LOOPS else SKIP
    parts = full.split(os.sep)
    if not DEBUGGERS.isdisjoint(parts):
        return HARNESS
    site = next((i for i, part in enumerate(parts) if part in SITE), None)
    if site is not None:
        top = parts[site + 1].removesuffix(".py") if site + 1 < len(parts) else ""
        if parts[site + 1 :] == ["trio", "_core", "_run.py"]:
            return LOOP
        harness = top in HARNESSES or (top == "anyio" and parts[-1] == "pytest_plugin.py")
        return HARNESS if harness else LIBRARY
    if full.startswith(tuple(root + os.sep for root in STDLIB)):
        return SKIP
    return USER


@cache
def line_of(code: CodeType, lasti: int) -> int:
    """Return the source line of an instruction offset."""
    for start, end, line in code.co_lines():
        if start <= lasti < end and line is not None:
            return line
    return code.co_firstlineno


@cache
def distribution_of(path: str) -> str | None:
    """Return `name version` of the distribution that a library's file came with."""
    from importlib import metadata

    parts = os.path.abspath(path).split(os.sep)
    site = next((i for i, part in enumerate(parts) if part in SITE), None)
    if site is None:
        return "the standard library" if kind_of(path) in (SKIP, LOOP) else None
    top = parts[site + 1].removesuffix(".py")
    for name in metadata.packages_distributions().get(top, ()):
        return f"{name} {metadata.version(name)}"
    return top


MODULES: dict[str, str] = {}
"""File name -> module name, as far as it was asked for."""


def module_of(code: CodeType) -> str:
    """Return the name of the module that holds a code object, found by its file."""
    path = code.co_filename
    if path not in MODULES:
        for name, module in list(sys.modules.items()):
            if names_of(module).get("__file__") == path:
                MODULES[path] = "__main__" if name == "__mp_main__" else name
                break
        else:
            return os.path.splitext(os.path.basename(path))[0]
    return MODULES[path]


def names_of(module: object) -> dict[str, object]:
    """Return the names of a module without waking one that is loaded lazily."""
    try:
        found = object.__getattribute__(module, "__dict__")
    except AttributeError:  # something else that somebody has put among the modules
        return {}
    return found if type(found) is dict else {}
