"""Which imports bring something that has to be patched, and how are they noticed?

A loop class that is first imported inside a test must be patched before its first loop is made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class Noticer(MetaPathFinder):
    """Calls back when one of a few modules has been loaded.

    Parameters:
        loaded: called after each of them.

    Attributes:
        names: the modules that are waited for.
    """

    def __init__(self, loaded: Callable[[], None]) -> None:
        self.loaded = loaded
        self.names: frozenset[str] = frozenset()

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a watched module with a loader that calls back, `None` for any other."""
        if name not in self.names:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Calling(spec.loader, self.loaded)
        return spec

    def install(self) -> None:
        """Notice from here on."""
        sys.meta_path.insert(0, self)

    def uninstall(self) -> None:
        """Stop noticing."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)


class _Calling(Loader):
    def __init__(self, loader: Loader, loaded: Callable[[], None]) -> None:
        self.loader = loader
        self.loaded = loaded

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = module.__loader__ = self.loader  # leave no trace of ours on the module
        self.loader.exec_module(module)
        self.loaded()
