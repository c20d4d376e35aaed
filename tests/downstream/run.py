"""Run the test suites of other projects with and without the plugin, and tell what it changed.

    python tests/downstream/run.py --cache DIR --plugin-path . --set daily --markdown FILE

A suite is made ready once and kept in the cache. Then its tests run plain and with `--taskleak`:
no test may change its outcome but by leaking, and every distinct finding is listed, to be judged
by a person. Without --wheel and --plugin-path only the plain runs are made. POSIX only.

With `--flags "-p under_the_clock"` every test runs under the fake clock instead, without the watch.

Exit status: 0 nothing to complain of, 1 a test changed or a run broke, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import tables
from outcomes import Run, differences, steady
from recipes import Suite, load, select
from tables import Result
from workshop import PreparationError, Process, Workshop

RERUNS = 2
RERUN_WHOLE = 60  # seconds: dearer suites repeat only the files with changed tests


@dataclass(frozen=True)
class Runner:
    """Runs suites in one workshop against one installed plugin."""

    workshop: Workshop
    plugin: Path | None
    flags: tuple[str, ...]
    reuse_plain: bool

    def examine(self, suite: Suite) -> Result:
        """Everything about one suite; its troubles never stop the others."""
        try:
            self.workshop.prepare(suite)
        except (PreparationError, OSError, ValueError) as error:
            return Result(suite=suite, problem=f"not ready: {error}")
        plain = self._plain(suite)
        if self.plugin is None:
            return Result(suite=suite, plain=plain)
        guarded = self._run(suite, "taskleak", suite.args, guarded=True)
        return self._compare(suite, plain, guarded)

    def _compare(self, suite: Suite, plain: Run, guarded: Run) -> Result:
        """Tell real changes from flaky tests by repeating both runs while any are left."""
        first = differences(plain, guarded)
        changed, plains, guardeds = first, [plain], [guarded]
        for number in range(1, RERUNS + 1):
            if not changed or guarded.hung:
                break
            args = rerun_args(suite, changed)
            plains.append(self._run(suite, f"plain.{number}", args, guarded=False))
            guardeds.append(self._run(suite, f"taskleak.{number}", args, guarded=True))
            changed = steady(plains, guardeds)
        flaky = [nodeid for nodeid in first if nodeid not in changed]
        return Result(suite=suite, plain=plain, guarded=guarded, changed=changed, flaky=flaky)

    def _plain(self, suite: Suite) -> Run:
        """The plain run: the one of last time if that is wanted and complete."""
        ended = self._output(suite, "plain").with_suffix(".json")
        if self.reuse_plain and ended.exists():
            process = Process(**json.loads(ended.read_text(encoding="utf-8")))
            if not process.hung:
                return self._read(suite, "plain", process)
        return self._run(suite, "plain", suite.args, guarded=False)

    def _run(self, suite: Suite, label: str, args: Iterable[str], *, guarded: bool) -> Run:
        """One pytest process, kept in the cache with how it ended."""
        output = self._output(suite, label)
        ended = output.with_suffix(".json")
        ended.unlink(missing_ok=True)
        plugin, flags = (self.plugin, self.flags) if guarded else (None, ())
        process = self.workshop.run(suite, [*args, *flags], plugin=plugin, output=output)
        ended.write_text(json.dumps(asdict(process)), encoding="utf-8")
        return self._read(suite, label, process)

    def _read(self, suite: Suite, label: str, process: Process) -> Run:
        return Run.read(self._output(suite, label), **asdict(process))

    def _output(self, suite: Suite, label: str) -> Path:
        return self.workshop.cache / "results" / f"{suite.name}.{label}.jsonl"


def rerun_args(suite: Suite, changed: Iterable[str]) -> list[str]:
    """The whole suite if it is cheap, else the files of the changed tests."""
    if suite.secs <= RERUN_WHOLE:
        return list(suite.args)
    files = sorted({nodeid.partition("::")[0] for nodeid in changed})
    return [*files, *suite.args[1:]]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    made.add_argument("--cache", type=Path, required=True, help="where everything is kept")
    made.add_argument("--only", default="", metavar="A,B", help="the suites to run")
    made.add_argument("--set", default="daily", choices=("daily", "all"), help="else: which of them")
    plugin = made.add_mutually_exclusive_group()
    plugin.add_argument("--wheel", type=Path, help="the plugin as a wheel")
    plugin.add_argument(
        "--plugin-path",
        type=Path,
        metavar="DIR",
        help="the plugin as a project folder, or as a folder it is installed in",
    )
    made.add_argument("--flags", default="--taskleak", help="what switches the plugin on")
    made.add_argument("--prepare", action="store_true", help="only make the suites ready")
    made.add_argument("--reuse-plain", action="store_true", help="take the last plain run if any")
    made.add_argument("--sources", type=Path, help="a folder with checkouts named owner+name")
    made.add_argument("--python", action="append", default=[], metavar="X.Y=PATH")
    made.add_argument("--json", type=Path, metavar="FILE", help="write all results here")
    made.add_argument("--markdown", type=Path, metavar="FILE", help="write what is to be judged here")
    return made


def plugin_folder(workshop: Workshop, options: argparse.Namespace) -> Path | None:
    """The folder to put on PYTHONPATH: installed now, unless the given one is installed already."""
    given: Path | None = options.wheel or options.plugin_path
    if given is None or options.prepare:
        return None
    given = given.resolve(strict=True)
    if given.is_dir() and not (given / "pyproject.toml").exists():
        if not any(given.glob("*.dist-info/entry_points.txt")):
            msg = f"{given} is neither a project nor a folder a plugin is installed in"
            raise PreparationError(msg)
        return given
    return workshop.install_plugin(str(given))


def prepare_only(workshop: Workshop, suite: Suite) -> Result:
    """Make a suite ready and run nothing."""
    try:
        workshop.prepare(suite)
    except (PreparationError, OSError, ValueError) as error:
        return Result(suite=suite, problem=f"not ready: {error}")
    return Result(suite=suite)


def publish(results: Sequence[Result], options: argparse.Namespace) -> None:
    """Write what is known so far: a long run may be interrupted."""
    if options.json:
        text = json.dumps(tables.document(results), indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")
    if options.markdown:
        options.markdown.write_text(tables.markdown(results), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for."""
    made = parser()
    options = made.parse_args(arguments)
    try:
        pythons = dict(pair.split("=", 1) for pair in options.python)
        suites = select(load(), [name for name in options.only.split(",") if name], options.set)
        workshop = Workshop(options.cache.resolve(), pythons, options.sources)
        plugin = plugin_folder(workshop, options)
    except (PreparationError, OSError, ValueError) as error:
        made.error(str(error))
    runner = Runner(workshop, plugin, tuple(shlex.split(options.flags)), options.reuse_plain)
    results: list[Result] = []
    for suite in suites:
        print(f"{suite.name} ...", file=sys.stderr, flush=True)
        done = prepare_only(workshop, suite) if options.prepare else runner.examine(suite)
        results.append(done)
        publish(results, options)
    print(tables.text(results))
    return int(any(result.changed or result.trouble for result in results))


if __name__ == "__main__":
    sys.exit(main())
