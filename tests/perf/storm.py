"""What does a sweep cost?  `python tests/perf/storm.py [--quick] [--json FILE]`.

The reference service of the tests, without a mistake.  Processor time is measured, and the lowest time of each
axis counts.  Figures are printed; the exit status is 1 if one of the promises is missed: milliseconds of a run
of fourteen items, and seconds of the axes of the preset `quick`, with its ten items, for a service that has
some 270 points with fourteen.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from pytest_taskleak.storm.adapters import maker
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.plan import AXES
from pytest_taskleak.storm.sweep import Sweep

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "storm"))

from reference import ITEMS, Service, load

QUICK = ("stop", "cancel", "stop2", "kill")
"""The axes of the preset `quick`."""
FEW = 10
"""Its items."""
POINTS = 270
MOST_MS = 2.0
MOST_QUICK = 1.0


async def few(service: Service, env: Env) -> None:
    await load(service, env, FEW)


def swept(axes: tuple[str, ...], items: int) -> dict[str, float]:
    """Sweep the service once; return the figures."""
    sweep = Sweep(maker(Service), few if items == FEW else load, "Service", axes)
    began = time.process_time()
    report = sweep.sweep()
    seconds = time.process_time() - began
    if report.causes or not report.complete:
        raise SystemExit(f"the clean service is not clean: {report.causes}")
    return {
        "points": report.points,
        "runs": report.runs,
        "seconds": seconds,
        "ms": seconds / report.runs * 1e3,
        "worst drain": max(axis.worst_drain for axis in report.axes),
    }


def best(axes: tuple[str, ...], rounds: int, items: int = ITEMS) -> dict[str, float]:
    """Return the figures of the fastest sweep."""
    return min((swept(axes, items) for _ in range(rounds)), key=lambda found: found["seconds"])


def verdicts(found: dict[str, dict[str, float]]) -> list[tuple[str, float, str, bool]]:
    """Return (what, figure, promise, kept)."""
    slowest = max(figures["ms"] for figures in found.values())
    seconds = found["quick"]["seconds"] * POINTS / found["stop"]["points"]
    return [
        ("ms for a run, of the slowest axis", slowest, f"<= {MOST_MS:g}", slowest <= MOST_MS),
        (f"seconds of quick, for {POINTS} points", seconds, f"< {MOST_QUICK:g}", seconds < MOST_QUICK),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rounds = 2 if options.quick else 5
    asked: dict[str, tuple[str, ...]] = {
        axis: (axis,) for axis in AXES if axis != "pair" or not options.quick
    }
    found = {name: best(axes, rounds) for name, axes in asked.items()}
    found["quick"] = best(QUICK, rounds, FEW)
    found["quick, 14"] = best(QUICK, rounds)
    print(f"CPython {sys.version.split()[0]}, processor time, the best of {rounds}")
    for name, figures in found.items():
        print(
            f"  {name:10} {figures['points']:5.0f} points {figures['runs']:6.0f} runs {figures['seconds']:7.2f} s "
            f"{figures['ms']:6.2f} ms a run, worst drain {figures['worst drain']:.3f} virtual s"
        )
    rows = verdicts(found)
    for what, value, promise, kept in rows:
        print(f"  {what:40} {value:8.2f}   promised {promise:8} {'kept' if kept else 'MISSED'}")
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2))
    return 0 if all(row[-1] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
