"""Under which typed keys does a run keep its state on pytest's objects?"""

from __future__ import annotations

from typing import Any

import pytest

from pytest_taskleak.engine.watch import Watch
from pytest_taskleak.judge.policy import Policy

WATCH = pytest.StashKey[Watch]()
READER = pytest.StashKey[Any]()
POLICY = pytest.StashKey[Policy]()
