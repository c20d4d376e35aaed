"""Which small worlds are tried?  A world is drawn from a seed and written down as plain data.

A program says which primitives, tasks, holders and anchors there are and who holds whom.  `world.py` builds it,
`oracle.py` says from the data alone which of its tasks can ever run again.  Nothing here knows the proof.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

Ref = tuple[str, int]
"""("p", 0) is primitive 0, ("h", 1) holder 1, ("t", 2) task 2."""

FUTURES = ("future", "gather", "gather_all", "shield")
"""Primitives that are futures: they can be given to gather(), wait(), shield() and wait_for()."""
PRIMITIVES = {
    "future": 24, "event": 20, "queue_get": 12, "queue_put": 4, "queue_join": 3, "lock": 9, "condition": 5,
    "semaphore": 5, "bounded": 2, "barrier": 2, "gather": 4, "gather_all": 2, "shield": 3, "wrapped": 3,
}  # fmt: skip
WAITS = {
    "prim": 60, "task": 12, "shield": 4, "wait_for": 3, "gather": 5, "gather_all": 3, "wait_any": 3, "wait_all": 2,
    "group": 4, "sleep": 3, "spin": 2, "woken": 2, "cancelled": 2,
}  # fmt: skip
STYLES = {
    "plain": 40,
    "nested": 20,
    "agen": 10,
    "awaitable": 6,
    "generator": 6,
    "anext": 5,
    "within": 8,
    "swallow": 5,
}
"""How the wait stands in the task's code: directly, in a child coroutine, in an async generator, ..."""
MUTABLE = ("list", "dict_value", "deque", "instance", "namespace", "ring", "func_dict", "set", "finalized")
"""Holders that may be given something more once everything is made: that closes cycles."""
HOLDERS = {
    "list": 5, "tuple": 4, "dict_value": 4, "dict_key": 2, "set": 2, "frozenset": 2, "deque": 2, "defaultdict": 1,
    "ordereddict": 1, "cell": 2, "closure": 4, "default": 2, "kwdefault": 2, "func_dict": 2, "partial": 3,
    "partial_kw": 1, "method": 3, "builtin_method": 2, "prim_method": 4, "staticmethod": 1, "classmethod": 1,
    "property": 1, "instance": 5, "slots": 2, "class_attr": 2, "module_attr": 2, "generator_new": 1, "generator": 3,
    "generator_finally": 1, "coroutine_new": 1, "coroutine": 3, "coroutine_wrapper": 1, "agen_new": 1, "agen": 2,
    "list_iter": 1, "dict_iter": 1, "dict_view": 1, "map": 1, "filter": 1, "zip": 1, "enumerate": 1, "reversed": 1,
    "callable_iter": 1, "lru_cache": 2, "context": 3, "ref": 5, "proxy": 3, "weakset": 3, "weakvalue": 3, "weakkey": 2,
    "weakmethod": 2, "watch": 3, "finalize": 2, "exception": 2, "exception_context": 1, "traceback": 3,
    "memoryview": 1, "py_object": 1, "py_array": 1, "cfunc": 1, "tee": 1, "chain": 1, "cycle": 1, "repeat": 1,
    "namespace": 2, "mappingproxy": 1, "enum": 0.3, "dataclass": 1, "finalized": 3, "ring": 3, "record": 1,
    "cf_callback": 1, "cf_result": 1, "handle": 2, "future_result": 2, "future_error": 1, "queue": 2, "generic": 1,
    "slice": 1, "methodcaller": 1, "thread": 0.5, "local": 1, "exitstack": 1, "super": 1, "odd": 1, "oddlist": 1,
    "oddmeta": 0.5, "big": 0.2, "own": 1, "condition": 1, "spy": 2,
    "weakkey_dropped": 1, "contextvar_default": 1, "token": 1,
}  # fmt: skip
ANCHORS = {
    "none": 8, "global": 5, "module": 4, "sys": 2, "class": 3, "atexit": 2, "frame": 4, "thread": 2, "timer": 5,
    "timer_cancel": 4, "contextvar": 3, "local": 3, "ready": 4, "reader": 2, "signal_loop": 1, "signal": 1, "queued": 1,
    "working": 1, "incref": 3, "callback": 3, "weak": 5, "weak_proxy": 3, "weak_set": 3, "handler": 1, "gc": 1,
    "finalize": 2, "own": 3, "generator_frame": 2, "task_context": 2, "fresh": 3,
}  # fmt: skip
SINGLE = ("signal_loop", "signal", "handler")
"""Anchors of which a process or a loop has one."""


@dataclass(slots=True)
class Prim:
    """A primitive, and what it holds: callbacks of a future, items of a queue, children of a gather()."""

    kind: str
    targets: list[Ref] = field(default_factory=list)


@dataclass(slots=True)
class Holder:
    """Something that holds `targets`, which were made before it, and `later`, put into it at the end."""

    kind: str
    targets: list[Ref]
    later: list[Ref] = field(default_factory=list)


@dataclass(slots=True)
class Task:
    """A task: how it waits, for what, what its frames hold, its context's value and its done callback's."""

    wait: str
    on: list[Ref] = field(default_factory=list)
    stuff: list[Ref] = field(default_factory=list)
    style: str = "plain"
    thin: bool = False
    context: Ref | None = None
    callback: Ref | None = None
    parent: int | None = None
    timeout: bool = False


@dataclass(slots=True)
class Anchor:
    """Something from which code can run, and what it reaches."""

    kind: str
    target: Ref


@dataclass(slots=True)
class Program:
    """One world."""

    seed: str
    prims: list[Prim] = field(default_factory=list)
    holders: list[Holder] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)
    inside: bool = False
    """Ask from a running task, else between two runs of the loop."""
    collect: bool = False
    """Run the garbage collector before asking."""

    def told(self) -> str:
        """Return the program as text, a line for each thing."""
        lines = [
            f"program {self.seed} ({'inside' if self.inside else 'outside'}{', collect' * self.collect})"
        ]
        for letter, things in (
            ("p", self.prims),
            ("h", self.holders),
            ("t", self.tasks),
            ("a", self.anchors),
        ):
            lines += [f"  {letter}{index} {thing}" for index, thing in enumerate(things)]
        return "\n".join(lines)


def pick(rng: random.Random, table: dict[str, float] | dict[str, int]) -> str:
    """Draw a name by its weight."""
    return rng.choices(list(table), weights=list(table.values()))[0]


def generate(seed: str) -> Program:
    """Return the program of a seed; the same seed gives the same program on every version of Python."""
    rng = random.Random(seed)  # noqa: S311 - worlds, not secrets
    program = Program(seed, inside=rng.random() < 0.4, collect=rng.random() < 0.02)
    tasks = rng.choice((1, 1, 2, 2, 3, 3, 4, 5, 6, 8))
    program.tasks = [Task("prim") for _ in range(tasks)]
    for _ in range(rng.randint(1, tasks + 1)):
        program.prims.append(_prim(rng, program))
    for _ in range(rng.randint(0, 7)):
        kind = pick(rng, HOLDERS)
        targets = [_ref(rng, program) for _ in range(rng.choice((1, 1, 1, 2)))]
        program.holders.append(Holder(kind, targets))
    for holder in program.holders:
        if holder.kind in MUTABLE and rng.random() < 0.3:
            holder.later.append(_ref(rng, program))
    for prim in program.prims:
        if prim.kind in ("future", "queue_put") and rng.random() < 0.2:
            prim.targets.append(_ref(rng, program))
    for index in range(tasks):
        _task(rng, program, index)
    for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 2, 3))):
        _anchor(rng, program)
    return program


def _ref(rng: random.Random, program: Program) -> Ref:
    roll = rng.random()
    if roll < 0.30 and program.holders:
        return ("h", rng.randrange(len(program.holders)))
    if roll < 0.42:
        return _task_ref(rng, program)
    return ("p", rng.randrange(len(program.prims)))


def _task_ref(rng: random.Random, program: Program) -> Ref:
    return ("t", rng.choice([index for index, task in enumerate(program.tasks) if task.parent is None]))


def _prim(rng: random.Random, program: Program) -> Prim:
    kind = pick(rng, PRIMITIVES)
    if kind not in FUTURES or kind == "future":
        return Prim(kind)
    count = 1 if kind == "shield" else rng.randint(1, 3)
    return Prim(kind, [_futurelike(rng, program) for _ in range(count)])


def _futurelike(rng: random.Random, program: Program, but: int = -1) -> Ref:
    futures: list[Ref] = [("p", i) for i, prim in enumerate(program.prims) if prim.kind in FUTURES]
    tasks: list[Ref] = [("t", i) for i, task in enumerate(program.tasks) if task.parent is None and i != but]
    if futures and (not tasks or rng.random() < 0.5):
        return rng.choice(futures)
    return rng.choice(tasks) if tasks else ("t", 0)


def _task(rng: random.Random, program: Program, index: int) -> None:
    """Draw how a task waits, and what it holds."""
    task = program.tasks[index]
    task.wait = pick(rng, WAITS)
    task.style = pick(rng, STYLES)
    task.thin = rng.random() < 0.3
    task.timeout = rng.random() < 0.03
    task.stuff = [_ref(rng, program) for _ in range(rng.choice((0, 0, 1, 1, 2)))]
    if rng.random() < 0.08:
        task.context = _ref(rng, program)
    if rng.random() < 0.08:
        task.callback = _ref(rng, program)
    if task.wait in ("task", "shield", "wait_for"):
        other = _futurelike(rng, program, but=index)
        if task.wait == "task" and other[0] != "t":
            task.wait = "prim"
        if other == ("t", index):  # nothing else to wait for
            task.wait, other = "prim", ("p", 0)
        task.on = [other]
    elif task.wait in ("gather", "gather_all", "wait_any", "wait_all"):
        task.on = list(dict.fromkeys(_futurelike(rng, program) for _ in range(rng.randint(1, 3))))
    elif task.wait == "group":
        for _ in range(rng.randint(1, 3)):
            child = Task("prim", [_prim_ref(rng, program)], parent=index, style=pick(rng, STYLES))
            child.stuff = [_ref(rng, program) for _ in range(rng.choice((0, 0, 1)))]
            task.on.append(("t", len(program.tasks)))
            program.tasks.append(child)
    if task.wait in ("prim", "cancelled"):
        task.on = [_prim_ref(rng, program)]
        if program.prims[task.on[0][1]].kind in (*FUTURES, "wrapped"):  # cancel() would go on to others
            task.wait = "prim"


def _prim_ref(rng: random.Random, program: Program) -> Ref:
    return ("p", rng.randrange(len(program.prims)))


def _anchor(rng: random.Random, program: Program) -> None:
    kind = pick(rng, ANCHORS)
    if kind in SINGLE and any(anchor.kind == kind for anchor in program.anchors):
        kind = "global"
    target = _ref(rng, program)
    if kind == "timer_cancel":
        target = _task_ref(rng, program)
    if target[0] == "t" and kind != "timer_cancel":  # a held task
        kind = rng.choice(("global", "frame", "module", kind))
    program.anchors.append(Anchor(kind, target))


def smaller(program: Program) -> Iterator[Program]:
    """Yield programs with one thing less, for the search of a minimal one."""

    def less() -> Program:
        return copy.deepcopy(program)

    for index in range(len(program.anchors)):
        one = less()
        del one.anchors[index]
        yield one
    for index in range(len(program.tasks)):
        if program.tasks[index].wait != "sleep" and program.tasks[index].parent is None:
            one = less()
            for child in one.tasks:
                if child.parent == index:
                    child.parent, child.wait, child.on = None, "done", []
            one.tasks[index] = Task("done")
            if one.tasks != program.tasks:
                yield one
    for name in ("prims", "holders", "tasks"):
        for index, thing in enumerate(getattr(program, name)):
            for part in ("targets", "later", "stuff"):
                for place in range(len(getattr(thing, part, ()))):
                    if name == "prims" and thing.kind != "future":
                        continue
                    one = less()
                    del getattr(getattr(one, name)[index], part)[place]
                    yield one
    for index, task in enumerate(program.tasks):
        for plain in (
            {"style": "plain"},
            {"thin": False},
            {"timeout": False},
            {"context": None},
            {"callback": None},
        ):
            simple = replace(task, **plain)
            if simple != task:
                one = less()
                one.tasks[index] = simple
                yield one
    for index, holder in enumerate(program.holders):
        if holder.kind != "tuple":
            one = less()
            one.holders[index] = Holder("list", holder.targets, holder.later)
            if one.holders != program.holders:
                yield one
    if program.inside or program.collect:
        yield replace(less(), inside=False, collect=False)
