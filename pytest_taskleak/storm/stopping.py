"""How does code under a storm stop its service from inside: `env.stop()`?"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable


class Stopping:
    """What the environment of a run has for jobs that stop the service in which they run."""

    calling: Callable[[str, int], Awaitable[None]] | None = None
    """Is told of each call of a dependency, before it begins; the run sets it."""
    stopping: Callable[[], Awaitable[None]] | None = None
    """Stops the service, in the task that awaits it; the run sets it."""

    @functools.cached_property
    def struck(self) -> list[str]:
        """What the storm has done at moments that are no points, for the story of the run."""
        return []

    async def stop(self) -> None:
        """Stop the service from inside: in a job of its own, which goes on when the stop has returned.

        Raises:
            RuntimeError: there is no service yet.
        """
        if self.stopping is None:
            raise RuntimeError("env.stop(): there is no service yet that could be stopped")
        await self.stopping()
