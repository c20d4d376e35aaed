"""Under which typed keys does a run keep its state on pytest's objects?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_taskleak.clock.face import FakeClock
    from pytest_taskleak.engine.watch import Watch
    from pytest_taskleak.grouping import TestsGroup
    from pytest_taskleak.judge.policy import Policy
    from pytest_taskleak.reading import Reader

WATCH: pytest.StashKey[Watch] = pytest.StashKey()
READER: pytest.StashKey[Reader] = pytest.StashKey()
POLICY: pytest.StashKey[Policy] = pytest.StashKey()
SEED: pytest.StashKey[int | None] = pytest.StashKey()
CLOCK: pytest.StashKey[FakeClock] = pytest.StashKey()
STORM: pytest.StashKey[tuple[float, str]] = pytest.StashKey()
STORMS: pytest.StashKey[list[dict[str, object]]] = pytest.StashKey()
GROUP: pytest.StashKey[TestsGroup] = pytest.StashKey()
