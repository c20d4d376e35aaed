"""Is a proof of stuck ever wrong?  `python tests/proof/fuzz.py --programs N --seed S`.

Each program is built, asked about, compared with what the oracle reads off it, and (one in a few) run on: all
that lives then does all it can.  A task that was proven stuck and can run again, or ran, is a false proof: the
program is printed, made smaller, and the exit status is 1.  A task that ran though the oracle calls it stuck is
a hole in the oracle: exit status 2.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import importlib
import json
import logging
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import holders
from oracle import LIVE, STUCK, TIMED, truth
from programs import Program, generate, smaller
from world import World

Prove = Callable[..., dict[int, Any]]
SHORT = 0.03
"""Seconds until a timer of uvloop is due, whose clock cannot be moved, in a program that is run on."""
FAR = 3600.0


@dataclass(slots=True)
class Options:
    """How programs are run."""

    loop: str = "asyncio"
    eager: bool = False
    debug: bool = False
    run_on: int = 4
    """One program in so many is run on."""


@dataclass(slots=True)
class Outcome:
    """What came of one program."""

    tasks: int = 0
    stuck: int = 0
    proven: int = 0
    proven_stuck: int = 0
    live: int = 0
    confirmed: int = 0
    unknown: int = 0
    timed: int = 0
    false: list[str] = field(default_factory=list)
    unsealed: list[str] = field(default_factory=list)
    holes: list[str] = field(default_factory=list)
    verdicts: dict[int, str] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


def new_loop(options: Options) -> asyncio.AbstractEventLoop:
    """Return a fresh loop."""
    loop: asyncio.AbstractEventLoop
    if options.loop == "uvloop":
        loop = importlib.import_module("uvloop").new_event_loop()
    else:
        loop = asyncio.new_event_loop()
    loop.set_exception_handler(_quiet)
    loop.set_debug(options.debug)
    loop.slow_callback_duration = FAR  # the tale of a slow one may be endless
    if options.eager:
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
    return loop


def _quiet(*_: object) -> None:
    """Say nothing of errors in callbacks: cancelling an await cycle raises RecursionError."""


def be_quiet() -> None:
    """Let this process not tell of what programs leave to the collector."""
    warnings.simplefilter("ignore")  # coroutines that are held and never begun
    sys.unraisablehook = _quiet  # what is collected after its loop was closed complains
    logging.getLogger("asyncio").disabled = True


def run(program: Program, prove: Prove, options: Options, *, on: bool) -> Outcome:
    """Build a program, ask, compare, run on and clean up.

    Parameters:
        program: what to build; changed where a kind turned out impossible.
        prove: the prover.
        options: the loop and its modes.
        on: run the program on after the verdict.
    """
    outcome = Outcome()
    short = on and options.loop == "uvloop"
    loop = new_loop(options)
    started = time.monotonic()
    world = World(program, loop, eager=options.eager, delay=SHORT if short else FAR)
    try:
        answer = world.run(lambda tasks, own: _verdicts(prove, tasks, own))
        if short and time.monotonic() - started > SHORT / 2:
            on = False  # timers may be due already
        if short and not on:
            return Outcome()
        _compare(program, answer, outcome)
        if on:
            _check(world, program, outcome, lambda: _due(loop, options))
    finally:
        world.close()
    return outcome


def _verdicts(prove: Prove, tasks: list[Any], own: tuple[Any, ...]) -> list[tuple[str, str, bool, str]]:
    """Return name, verdict, whether nobody holds it, and reason of every pending task."""
    if any(task.done() for task in tasks):
        tasks[:] = [task for task in tasks if not task.done()]
    holders.ASKING.append(True)
    try:
        proofs = prove(tasks, own=own)
    finally:
        holders.ASKING.clear()
    if holders.RAN:
        raise AssertionError(f"code of the user ran: {holders.RAN}")
    found = []
    for task in tasks:
        proof = proofs[id(task)]
        found.append((task.get_name(), proof.verdict, proof.sealed, proof.reason))
    return found


def _compare(program: Program, answer: list[tuple[str, str, bool, str]], outcome: Outcome) -> None:
    """Compare the verdicts with the oracle."""
    so = truth(program)
    for name, verdict, sealed, reason in answer:
        if not name.startswith("t"):  # made by an anchor, and about to run
            if verdict == "stuck":
                outcome.false.append(f"{name}: stuck, and it is ready")
            continue
        index = int(name[1:])
        fact = so.tasks[index]
        outcome.tasks += 1
        outcome.verdicts[index] = verdict
        outcome.stuck += fact == STUCK
        outcome.live += fact == LIVE
        if verdict == "stuck":
            outcome.proven += 1
            outcome.proven_stuck += fact == STUCK
            outcome.timed += fact == TIMED
            if fact == LIVE:
                outcome.false.append(f"{name}: proven stuck, and it can run again")
            if sealed and index in so.held:
                outcome.unsealed.append(f"{name}: nobody is said to hold it, and somebody does")
        elif verdict == "unknown":
            outcome.unknown += 1
            outcome.reasons.append(reason)


def _check(world: World, program: Program, outcome: Outcome, wait: Callable[[], None]) -> None:
    """Run on, and see who runs."""
    so = truth(program)
    ran = world.run_on(wait)
    outcome.confirmed = sum(so.tasks[index] == LIVE for index in ran & set(outcome.verdicts))
    ran = world.let_go()
    for index in sorted(ran):
        fact = so.tasks[index]
        if outcome.verdicts.get(index) == "stuck" and fact in (LIVE, STUCK):
            outcome.false.append(f"t{index}: proven stuck, and it ran")
        if fact == STUCK:
            outcome.holes.append(f"t{index}: ran, and the oracle calls it stuck")


def _due(loop: Any, options: Options) -> None:
    """Make every timer due."""
    if options.loop == "uvloop":
        time.sleep(SHORT)
    else:
        now = loop.time()
        loop.time = lambda: now + 2 * FAR


# Many programs


def stream(seed: int, first: int, count: int) -> Iterator[tuple[int, Program]]:
    """Yield the programs of a seed."""
    for number in range(first, first + count):
        yield number, generate(f"{seed}:{number}")


def minimal(program: Program, prove: Prove, options: Options, *, on: bool, tries: int = 600) -> Program:
    """Return the smallest program found that still gives a false proof."""
    found = True
    while found and tries > 0:
        found = False
        for one in smaller(program):
            tries -= 1
            trial = Program(**{name: getattr(one, name) for name in Program.__dataclass_fields__})
            try:
                wrong = run(trial, prove, options, on=on).false
            except Exception:  # noqa: BLE001 - a smaller program need not make sense
                wrong = []
            if wrong:
                program, found = trial, True
                break
            if tries <= 0:
                break
    return program


def soak(
    seed: int, first: int, count: int, prove: Prove, options: Options, *, shrink: bool = True, stop: int = 3
) -> dict[str, Any]:
    """Run programs and add up what came of them.

    Parameters:
        seed: of the programs.
        first: number of the first program.
        count: how many.
        prove: the prover.
        options: the loop and its modes.
        shrink: make the first false proof smaller.
        stop: give up after so many programs with a false proof.
    """
    total: collections.Counter[str] = collections.Counter()
    reasons: collections.Counter[str] = collections.Counter()
    stories: list[str] = []
    for number, program in stream(seed, first, count):
        on = number % options.run_on == 0 if options.run_on else False
        outcome = run(program, prove, options, on=on)
        total["programs"] += 1
        for name in ("tasks", "stuck", "proven", "proven_stuck", "unknown", "timed"):
            total[name] += getattr(outcome, name)
        if on:
            total["live"] += outcome.live
            total["confirmed"] += outcome.confirmed
        reasons.update(outcome.reasons)
        for name in ("false", "unsealed", "holes"):
            lines = getattr(outcome, name)
            total[name] += len(lines)
            if lines and len(stories) < 8:
                stories.append(f"{name}: {'; '.join(lines)}\n{program.told()}")
                if shrink and name == "false" and total["false"] == len(lines):
                    least = minimal(program, prove, options, on=on)
                    stories.append(f"smaller: {least.told()}")
        if total["false"] and total["programs"] and stop and len(stories) >= stop:
            break
    return {"total": dict(total), "stories": stories, "reasons": dict(reasons.most_common(8))}


def told(total: dict[str, int]) -> str:
    """Return the one line."""
    stuck = total.get("stuck", 0)
    recall = 100 * total.get("proven_stuck", 0) / stuck if stuck else 100.0
    live = total.get("live", 0)
    confirmed = 100 * total.get("confirmed", 0) / live if live else 100.0
    return (
        f"programs {total.get('programs', 0)}, tasks {total.get('tasks', 0)}, truly stuck {stuck}, "
        f"proven {total.get('proven', 0)}, recall {recall:.1f} %, false proofs {total.get('false', 0)}, "
        f"unknown {total.get('unknown', 0)}, only a cancelling timer left {total.get('timed', 0)}, "
        f"wrongly sealed {total.get('unsealed', 0)}, holes in the oracle {total.get('holes', 0)}, "
        f"live that ran {confirmed:.1f} %"
    )


def prover(name: str, mutation: str) -> Prove:
    """Return the prover to be tested: `module:function`, or one of the two stand-ins.

    Parameters:
        name: `all` calls every task stuck, `none` calls none so.
        mutation: a mutation of the proof to be applied.
    """
    if name in ("all", "none"):
        verdict = "stuck" if name == "all" else "live"
        return lambda tasks, own=(): {id(task): StandIn(verdict) for task in tasks}
    module, _, function = name.partition(":")
    loaded = importlib.import_module(module)
    if mutation:
        importlib.import_module("mutations").apply(mutation)
    found: Prove = getattr(loaded, function or "prove")
    return found


@dataclass(frozen=True, slots=True)
class StandIn:
    """A verdict of a prover that does not think."""

    verdict: str
    sealed: bool = False
    reason: str = ""


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first program")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--eager", action="store_true", help="tasks run eagerly (3.12)")
    parser.add_argument("--debug", action="store_true", help="asyncio's debug mode")
    parser.add_argument("--hook", choices=("profile", "trace"), help="with a hook of sys set")
    parser.add_argument("--run-on", type=int, default=4, help="run on one program in so many; 0: none")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--prover", default="pytest_taskleak.explain.proof:prove")
    parser.add_argument("--mutation", default="", help="change the proof first: see mutations.py")
    parser.add_argument("--every", type=int, default=0, help="tell how it stands after so many programs")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    parser.add_argument("--show", action="store_true", help="print the programs, and run none")
    parser.add_argument("--no-shrink", dest="shrink", action="store_false")
    given = parser.parse_args(arguments)
    if given.show:
        for _, program in stream(given.seed, given.first, given.programs):
            print(program.told())
        return 0
    result = _jobs(given) if given.jobs > 1 else _here(given)
    if given.json:
        print(json.dumps(result))
    else:
        for story in result["stories"]:
            print(story, file=sys.stderr)
        for reason, count in result["reasons"].items():
            print(f"  unknown {count} times: {reason}", file=sys.stderr)
        print(told(result["total"]))
    total = result["total"]
    return 1 if total.get("false") else 2 if total.get("holes") else 0


def _here(given: argparse.Namespace) -> dict[str, Any]:
    """Run the programs in this process."""
    if given.hook:
        getattr(sys, f"set{given.hook}")(lambda *_: None)
    options = Options(given.loop, given.eager, given.debug, given.run_on)
    prove = prover(given.prover, given.mutation)
    be_quiet()
    whole: dict[str, Any] = {"total": collections.Counter(), "stories": [], "reasons": collections.Counter()}
    step = given.every or given.programs
    for first in range(given.first, given.first + given.programs, step):
        count = min(step, given.first + given.programs - first)
        part = soak(given.seed, first, count, prove, options, shrink=given.shrink)
        _add(whole, part)
        if given.every:
            print(told(whole["total"]), flush=True)
        if whole["total"]["false"]:
            break
    return whole


def _jobs(given: argparse.Namespace) -> dict[str, Any]:
    """Run the programs in several processes."""
    share = -(-given.programs // given.jobs)
    command = [sys.executable, *_flags(), __file__, "--json", "--seed", str(given.seed), "--loop", given.loop]
    command += ["--run-on", str(given.run_on), "--prover", given.prover, "--mutation", given.mutation]
    command += [f"--{name}" for name in ("eager", "debug") if getattr(given, name)]
    command += ["--no-shrink"] * (not given.shrink) + (["--hook", given.hook] if given.hook else [])
    parts = []
    for job in range(given.jobs):
        count = min(share, given.programs - job * share)
        where = ["--first", str(given.first + job * share), "--programs", str(count)]
        parts.append(subprocess.Popen([*command, *where], stdout=subprocess.PIPE, text=True))
    whole: dict[str, Any] = {"total": collections.Counter(), "stories": [], "reasons": collections.Counter()}
    for part in parts:
        out, _ = part.communicate()
        if part.returncode not in (0, 1, 2) or not out.strip():
            raise SystemExit(f"a job failed with {part.returncode}")
        _add(whole, json.loads(out.splitlines()[-1]))
    return whole


def _flags() -> list[str]:
    """Return the interpreter's flags that a job is to have too."""
    return [*(["-X", "dev"] if sys.flags.dev_mode else []), *(["-P"] if sys.flags.safe_path else [])]


def _add(whole: dict[str, Any], part: dict[str, Any]) -> None:
    whole["total"].update(part["total"])
    whole["stories"] += part["stories"]
    whole["reasons"].update(part["reasons"])


if __name__ == "__main__":
    sys.exit(main())
