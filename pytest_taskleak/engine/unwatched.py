"""How does a part of a test go unwatched, because all in it is made to go wrong and is ended in it?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_taskleak.engine import owner
from pytest_taskleak.engine.owner import OWNER


@contextmanager
def unwatched() -> Iterator[None]:
    """Let nobody answer for what is made in a block.

    Only for code that runs in the calling thread, and that ends all it makes before the block ends.
    """
    watches = owner.watches[:]
    token = OWNER.set(None)
    owner.watches.clear()
    try:
        yield
    finally:
        owner.watches[:] = watches
        OWNER.reset(token)
