"""How does code read the virtual time that reads `time.monotonic` and its like, and not the loop's clock?

In the packages that the user names, and nowhere else, these names mean the clock's own functions: a global
name is bound anew, and the module `time` is seen through one that stands before it.
"""

from __future__ import annotations

import sys
import time as wall_time
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from pytest_taskleak.adapt.code import names_of
from pytest_taskleak.loops.functions import Virtual, VirtualModule
from pytest_taskleak.loops.virtual import VirtualTime
from pytest_taskleak.loops.wall import Wall

MARK = "__taskleak_clock__"
"""Stands in each module whose names are bound anew: freezegun remembers a module's names as long as `dir()`
shows the same, and would otherwise freeze ours in place of the real ones, and put back the wrong ones."""


class Names:
    """Binds names in the modules of a few packages: those that are loaded, and those that are loaded later.

    Attributes of classes and instances, default arguments, containers, and an `import time` inside of a
    function are left as they are; so are `datetime` and `time.gmtime`, for which there is `wall=`.

    Parameters:
        packages: the packages, or plain modules.
        wall: the date that they see.
    """

    def __init__(self, packages: Sequence[str], wall: Wall) -> None:
        self.packages = tuple(packages)
        self.wall = wall
        self.seen: set[str] = set()
        self._time: VirtualTime | None = None
        self._virtual: Virtual | None = None
        self._module: ModuleType | None = None
        self._later = Later(self._package, self._bind)
        self._undo: list[tuple[dict[str, Any], str, Any, Any]] = []

    def install(self, time: VirtualTime) -> None:
        """Bind the names."""
        self._time = time
        self._virtual = Virtual(time, self.wall)
        self._module = VirtualModule(self._virtual)
        self._later.install()
        for name, module in self._loaded():
            self._bind(name, module)

    def uninstall(self) -> None:
        """Put everything back that is still ours, also where the packages have put it themselves."""
        if self._time is None or self._virtual is None:
            return
        self._later.uninstall()
        self._virtual.end()
        while self._undo:
            namespace, name, ours, before = self._undo.pop()
            if namespace.get(name) is ours:
                namespace[name] = before
            namespace.pop(MARK, None)
        for _, module in self._loaded():
            namespace = names_of(module)
            for name, value in list(namespace.items()):
                before = wall_time if value is self._module else self._virtual.back(value)
                if before is not value:
                    namespace[name] = before
        for package in self.packages:
            if package not in self.seen:
                self._time.stats.note(f"modules: nothing of {package!r} was imported")
        self.seen.clear()
        self._time = self._virtual = self._module = None

    def _loaded(self) -> list[tuple[str, ModuleType]]:
        """Return the modules of the packages."""
        return [(name, module) for name, module in list(sys.modules.items()) if self._package(name)]

    def _package(self, name: str) -> str:
        """Return to which of the packages a module belongs; empty if to none."""
        return next((each for each in self.packages if f"{name}.".startswith(f"{each}.")), "")

    def _bind(self, name: str, module: object) -> None:
        virtual = self._virtual
        if virtual is None:
            return
        self.seen.add(self._package(name))
        namespace = names_of(module)
        for key, before in list(namespace.items()):
            ours = self._module if before is wall_time else virtual.instead(before)
            if ours is not before:
                self._undo.append((namespace, key, ours, before))
                namespace[key] = ours
                namespace[MARK] = True


class Later(MetaPathFinder):
    """Tells of each module of some packages after it was loaded, whoever finds it.

    Parameters:
        package: returns to which package a module belongs, empty if to none that matters.
        loaded: called with the name and the module.
    """

    def __init__(self, package: Callable[[str], str], loaded: Callable[[str, object], None]) -> None:
        self.package = package
        self.loaded = loaded

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what the next finder has found, with a loader that tells."""
        if not self.package(name):
            return None
        for finder in list(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec = None if find is None else find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = Telling(spec.loader, self.loaded)
                return spec  # type: ignore[no-any-return]
        return None

    def install(self) -> None:
        """Begin to tell."""
        sys.meta_path.insert(0, self)

    def uninstall(self) -> None:
        """Tell no more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


class Telling(Loader):
    """A loader that tells of the module; it leaves no trace on it."""

    def __init__(self, loader: Loader, loaded: Callable[[str, object], None]) -> None:
        self.loader = loader
        self.loaded = loaded

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        self.loaded(module.__name__, module)
