"""Which call makes a task, a timer or a thread, and does a task group see to it?"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from pytest_taskleak.audit.names import Names
from pytest_taskleak.audit.sites import Kind

GROUP_CALLS = ("create_task", "start_soon", "spawn", "schedule", "create_task_threadsafe", "start")
"""What makes something in a group; beside the first only where the group is known."""
PLAIN: dict[str, tuple[Kind, str]] = {
    "asyncio.create_task": ("task", "asyncio.create_task"),
    "asyncio.tasks.create_task": ("task", "asyncio.create_task"),
    "asyncio.ensure_future": ("task", "asyncio.ensure_future"),
    "asyncio.tasks.ensure_future": ("task", "asyncio.ensure_future"),
    "asyncio.run_coroutine_threadsafe": ("task", "asyncio.run_coroutine_threadsafe"),
    "asyncio.Task": ("task", "asyncio.Task"),
    "threading.Thread": ("thread", "threading.Thread"),
    "threading.Timer": ("thread", "threading.Timer"),
    "_thread.start_new_thread": ("thread", "_thread.start_new_thread"),
}
BARE = frozenset({"asyncio.create_task", "asyncio.ensure_future", "loop.create_task", "asyncio.Task"})
"""What the gate speaks of."""
THREADS = frozenset({"threading.Thread", "threading.Timer"})
TIMERS = ("call_later", "call_at")
LATER = (
    "call_soon",
    "call_soon_threadsafe",
    "call_later",
    "call_at",
    "add_signal_handler",
    "add_done_callback",
)
"""What calls a function later and drops what it returns."""
GROUP = re.compile(r"(TaskGroup|create_task_group|open_nursery|Nursery)(\(\)|\b)")
LOOP = re.compile(r"\b(get_(running_|event_)?loop|new_event_loop)\(\)$|AbstractEventLoop|BaseEventLoop")
GROUP_NAME = re.compile(r"(^|_)(tg|task_?groups?|nursery)$", re.IGNORECASE)
LOOP_NAME = re.compile(r"(^|_)(event_?)?loop$", re.IGNORECASE)
OF_TASKS = frozenset({"name", "context", "eager_start", "background", "coro"})
"""The keywords of `create_task`; a call with others makes something else."""
WORDS = re.compile(
    r"create_task|ensure_future|run_coroutine_threadsafe|start_soon|open_nursery|call_later|call_at|"
    r"Thread|Timer|start_new_thread|TaskGroup|asyncio\.Task\("
)
"""What stands in any file that makes something by itself."""


@dataclass(frozen=True, slots=True)
class Making:
    """What a call makes.

    Parameters:
        kind: what.
        call: what is called.
        group: the group that sees to it.
        sure: whether it is known to make something.
        callback: whether a function that makes something is only handed on, to be called later.
    """

    kind: Kind
    call: str
    group: str = ""
    sure: bool = True
    callback: bool = False


class Calls:
    """Knows the calls of a file that make something.

    Parameters:
        names: the names of the file.
        threads: the classes of the project that are threads, by their dotted names.
    """

    def __init__(self, names: Names, threads: frozenset[str] = frozenset()) -> None:
        self.names = names
        self.threads = threads

    def making(self, call: ast.Call) -> Making | None:
        """Return what a call makes, `None` if nothing is known of that."""
        dotted = self.names.dotted(call.func)
        plain = PLAIN.get(dotted)
        if plain is not None:
            return Making(*plain)
        if dotted in self.threads or f"{self.names.module}.{dotted}" in self.threads:
            return Making("thread", dotted)
        if not isinstance(call.func, ast.Attribute):
            return None
        method, receiver = call.func.attr, call.func.value
        if method in LATER and self._hands_on(call):
            handed = self.names.dotted(self._function(call))
            return Making("task", handed if handed in BARE else "loop.create_task", callback=True)
        if method in TIMERS and len(call.args) > 1:
            return Making("timer", f"loop.{method}")
        if method in GROUP_CALLS:
            return self._of(call, method, receiver)
        return None

    def _of(self, call: ast.Call, method: str, receiver: ast.expr) -> Making | None:
        what = self.receiver(receiver)
        shown = ast.unparse(receiver)
        if what == "group" or method == "start_soon":
            kind: Kind = "timer" if method == "schedule" else "task"
            return Making(kind, f"TaskGroup.{method}", group=shown)
        if method != "create_task":
            return None
        if what == "loop":
            return Making("task", "loop.create_task")
        if len(shown) < 40 and plausible(call) and not self._is_own(call, shown):  # noqa: PLR2004 -- a name
            return Making("task", f"{shown}.create_task", sure=False)
        return None

    def _is_own(self, call: ast.Call, shown: str) -> bool:
        """Tell whether `self.create_task` is a method that the class around the call defines."""
        around = self.names.source.class_of(call) if shown in ("self", "cls") else None
        defined = around.body if around is not None else ()
        return any(getattr(node, "name", "") == "create_task" for node in defined)

    def receiver(self, node: ast.expr) -> str:
        """Return `group`, `loop` or nothing for what a method is called on."""
        origins = self.names.origins(node)
        if any(GROUP.search(origin) for origin in origins):
            return "group"
        if any(LOOP.search(origin) for origin in origins):
            return "loop"
        last = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        if GROUP_NAME.search(last):
            return "group"
        return "loop" if LOOP_NAME.search(last) else ""

    def _function(self, call: ast.Call) -> ast.expr:
        at = 1 if getattr(call.func, "attr", "") in ("call_later", "call_at", "add_signal_handler") else 0
        return call.args[at] if len(call.args) > at else call.func

    def _hands_on(self, call: ast.Call) -> bool:
        function = self._function(call)
        if function is call.func or not isinstance(function, ast.Name | ast.Attribute):
            return False
        dotted = self.names.dotted(function)
        if dotted in BARE:
            return True
        loop = isinstance(function, ast.Attribute) and self.receiver(function.value) == "loop"
        return loop and dotted.endswith(".create_task")


def plausible(call: ast.Call) -> bool:
    """Tell whether a `create_task` of something unknown looks like asyncio's: one coroutine, and a name."""
    given = {keyword.arg for keyword in call.keywords}
    return len(call.args) == 1 and isinstance(call.args[0], ast.Call) and given <= OF_TASKS


def has_name(call: ast.Call, making: Making) -> bool | None:
    """Tell whether what a call makes gets a name."""
    if making.kind == "timer" or making.callback or making.call.endswith("run_coroutine_threadsafe"):
        return None
    if making.call.endswith("Timer"):
        return False
    given = {keyword.arg for keyword in call.keywords}
    if "name" in given:
        return True
    if making.call == "TaskGroup.start_soon":
        return True  # anyio and trio call the task after its function
    if None in given or (making.kind == "thread" and making.call not in PLAIN):
        return None
    return making.call == "threading.Thread" and len(call.args) > 2  # noqa: PLR2004 -- the third is the name


def is_daemon(call: ast.Call) -> bool:
    """Tell whether a thread is made as a daemon."""
    return any(
        keyword.arg == "daemon" and isinstance(keyword.value, ast.Constant) and bool(keyword.value.value)
        for keyword in call.keywords
    )


def thread_classes(names: Names) -> dict[str, list[str]]:
    """Return the classes of a file, dotted, with their dotted bases."""
    found: dict[str, list[str]] = {}
    for node in names.source.parents:
        if isinstance(node, ast.ClassDef) and node.bases:
            bases = [names.dotted(base) for base in node.bases]
            found[f"{names.module}.{node.name}"] = [
                f"{names.module}.{base}" if "." not in base else base for base in bases
            ]
    return found


def threads_among(classes: dict[str, list[str]]) -> frozenset[str]:
    """Return those classes that are threads, directly or by their bases."""
    found: set[str] = set(THREADS)
    while True:
        more = {name for name, bases in classes.items() if name not in found and found.intersection(bases)}
        if not more:
            return frozenset(found - THREADS)
        found |= more
