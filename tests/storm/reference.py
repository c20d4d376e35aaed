"""Where is the service that the storm is tried on?  It is an example; the tests know it by this name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "examples" / "storm_reference"))

from bugs import BUGS
from clients import load
from intake import ITEMS, Service

HOME = Path(sys.path.pop(0))  # its `run` and its tests are nobody's here

__all__ = ["BUGS", "HOME", "ITEMS", "Service", "load"]
