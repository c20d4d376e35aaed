"""Which libraries are here, and what do they look like in one table?

    python tests/storm/libraries/every.py

prints the table of the page on public code, for what is installed.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from libraries.case import Case

MODULES = {
    "aiojobs": "aiojobs_",
    "APScheduler": "apscheduler_",
    "taskiq": "taskiq_",
    "mode-streaming": "mode_",
    "asyncio-pool": "asyncio_pool_",
    "aiotools": "aiotools_",
    "aiometer": "aiometer_",
    "aiolimiter": "aiolimiter_",
    "purgatory": "purgatory_",
    "async-lru": "async_lru_",
    "aiocache": "aiocache_",
    "janus": "janus_",
    "asgi-lifespan": "asgi_lifespan_",
}
"""Distribution -> the module with its cases."""


def installed(package: str) -> str:
    """Return the version of a distribution; empty where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def cases(package: str) -> list[Case]:
    """Return the cases of a library that is installed."""
    module: Any = importlib.import_module(f"libraries.{MODULES[package]}")
    found: list[Case] = module.CASES
    return found


def rows() -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| library | what | points | runs | ms a run | found |"
    yield "|---|---|---|---|---|---|"
    for package in MODULES:
        version = installed(package)
        for case in cases(package) if version else []:
            began = time.process_time()
            report, letters = case.swept()
            spent = (time.process_time() - began) / report.runs * 1e3
            counts = {axis.axis: f" {axis.failing} of {axis.ran}" for axis in report.axes}
            found = "; ".join(
                f"{axis}{counts.get(axis, '')}: {' '.join(letters[axis])}"
                for axis in ("baseline", *case.axes)
                if axis in letters
            )
            yield (
                f"| {package} {version} | {case.what} | {report.points} | {report.runs} "
                f"| {f'{spent:.1f}' if report.axes else ''} | {found or 'nothing'} |"
            )


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    print("\n".join(rows()))
