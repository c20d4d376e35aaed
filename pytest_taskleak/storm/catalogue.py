"""What are the scenarios of a storm called, and what does each of them try?

A scenario is one or more axes, in a world of its own or in the plain one, under a load of some shape.  Those
that cannot be had are refused by name, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pytest_taskleak.storm.adapters import Make, Subject
from pytest_taskleak.storm.env import Env
from pytest_taskleak.storm.plan import AXES, TRIALS
from pytest_taskleak.storm.shapes import SHAPES, Load, Submit, opened

Kind = Literal["sweep", "cycles", "soak"]
EIGHT = tuple(range(8))


@dataclass(frozen=True, slots=True)
class World:
    """In what the world of a scenario differs from the plain one.

    Parameters:
        flaky: the share of first tries of dependencies that fails.
        slow: by how much each call of a dependency takes longer.
        busy: virtual seconds of each call in a pool; 0 for those of the plain world.
        held: whether clients never close their connections, nor read a stream to its end.
    """

    flaky: float = 0.0
    slow: float = 1.0
    busy: float = 0.0
    held: bool = False

    def of(self, make: Make) -> Make:
        """Return what makes a service in this world."""
        if self == World():
            return make

        def made(env: Env) -> Subject:
            env.flaky, env.slow, env.held = self.flaky, self.slow, self.held
            if self.busy:
                env.loop.duration = lambda: self.busy
            return make(env)

        return made


PLAIN = World()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario.

    Parameters:
        key: as in `S1`.
        name: what it is called.
        axes: the axes that it sweeps.
        oracles: the letters that it is about; all others are looked at, too.
        shape: of the load that goes best with it, see `shapes`; empty where there is no load.
        items: of that load.
        late: items of that load that arrive after it, when the service may have been told to stop.
        loaded: whether it is given a load at all.
        world: in what its world differs.
        seeds: its schedules.
        kind: a sweep; start and stop again and again; or one long life.
        lacks: why it cannot be had; empty if it can.
    """

    key: str
    name: str
    axes: tuple[str, ...] = ()
    oracles: str = ""
    shape: str = "spike"
    items: int = 14
    late: int = 0
    loaded: bool = True
    world: World = PLAIN
    seeds: tuple[int, ...] = (0,)
    kind: Kind = "sweep"
    lacks: str = ""

    @property
    def plain(self) -> bool:
        """Whether a sweep of its axes with any other scenario's is all of it."""
        return self.kind == "sweep" and self.world == PLAIN

    def load(self, submit: Submit) -> Load:
        """Return the load that goes best with it, from what hands in one item.

        Parameters:
            submit: see `shapes.opened`.

        Raises:
            ValueError: it has no load, or one of entities that join and leave.
        """
        if self.shape not in SHAPES:
            way = "shapes.churn(join, leave)" if self.shape else "none"
            raise ValueError(f"scenario {self.key} {self.name}: its load is {way}")
        return opened(submit, self.items, shape=self.shape, late=self.late)


PROCESS = (
    "it needs a server in a process of its own, which no storm starts; "
    'mode="real" stops a service in this process, with real sockets, threads and child processes'
)
BY_NAME = "asked for by name"
_ALL = (
    Scenario("S1", "stop_under_load", ("stop",), "TtDLUCRKI"),
    Scenario("S2", "cancel_root", ("cancel",), "TtDLUCRKIX"),
    Scenario("S3", "double_stop", ("stop2",), "IE"),
    Scenario("S4", "signal_in_drain", ("pair",), "TRtL"),
    Scenario("S5", "signal_in_startup", ("stop", "cancel"), "RTS", shape="", items=0, loaded=False),
    Scenario("S6", "shutdown_in_retry", ("stop", "cancel"), "tL", world=World(flaky=0.35)),
    Scenario("S7", "one_worker_raises", ("raise",), "ETL", shape="steady"),
    Scenario(
        "S8", "long_operation", ("stop", "cancel"), "DLX", shape="burst", items=3, world=World(slow=100.0)
    ),
    Scenario("S9", "targeted_cancel", ("kill",), "KQL", shape="burst"),
    Scenario("S10", "failing_dependency", ("fault",), "LDE", shape="steady"),
    Scenario("S11", "buffer_flush_race", ("stop", "kill", "fault"), "LUO", shape="steady"),
    Scenario("S12", "lock_holder_stuck", ("kill", "freeze"), "KD", shape="burst"),
    Scenario("S13", "pool_exhaustion", ("stop", "cancel", "kill"), "KQD", shape="burst"),
    Scenario("S14", "restart_n", (), "S", shape="burst", items=3, kind="cycles"),
    Scenario("S15", "entity_churn", ("stop", "cancel"), "T", shape="churn", items=8),
    Scenario("S16", "spawn_during_drain", ("stop", "cancel"), "T"),
    Scenario("S17", "limit_reject", ("stop", "cancel"), "TW", shape="burst"),
    Scenario("S18", "self_drain", ("inside",), "DI", shape="steady"),
    Scenario("S19", "stubborn_task", ("freeze",), "DX"),
    Scenario(
        "S20", "executor_blocked", ("stop", "cancel"), "HDL", shape="burst", items=3, world=World(busy=5.0)
    ),
    Scenario("S21", "client_disconnects", ("disconnect",), "QTF", shape="steady"),
    Scenario("S22", "open_connections", ("stop", "cancel"), "DF", shape="steady", world=World(held=True)),
    Scenario("S23", "traffic_after_term", ("stop",), "LT", shape="steady", late=4),
    Scenario("S24", "clock_jump", ("leap",), "DL"),
    Scenario("S25", "stampede", ("kill",), "KQ", shape="burst"),
    Scenario("S26", "group_abort", ("fault", "cancel", "kill"), "TES", seeds=EIGHT),
    Scenario("S27", "grace_exceeded", lacks=PROCESS),
    Scenario("S28", "child_left", lacks=PROCESS),
    Scenario("S29", "soak", (), "S", shape="steady", kind="soak"),
)
CATALOGUE: dict[str, Scenario] = {scenario.key: scenario for scenario in _ALL}
"""Key -> scenario."""
NAMES: dict[str, str] = {scenario.name: scenario.key for scenario in _ALL}
"""Name -> key."""

QUICK = ("S1", "S2", "S3", "S5", "S9")
DEFAULT = (*QUICK, "S6", "S10", "S14")
TRIED = frozenset({"S7", "S12", "S18", "S19"})
"""What only who asks for it by name gets: not every contract covers it."""
THOROUGH = tuple(key for key, scenario in CATALOGUE.items() if not scenario.lacks and key not in TRIED)
PRESETS: dict[str, tuple[str, ...]] = {"quick": QUICK, "default": DEFAULT, "thorough": THOROUGH}
"""Preset -> keys of its scenarios; `thorough` has all that a service should stand."""
PRESET_SEEDS: dict[str, tuple[int, ...]] = {"thorough": EIGHT}


@dataclass(frozen=True, slots=True)
class Choice:
    """What was asked for.

    Parameters:
        axes: those of one plain sweep, in their order.
        seeds: its schedules.
        others: the scenarios that need more than that sweep.
        left_out: scenarios of a preset that cannot be had: name -> why.
        named: the keys of the scenarios that were asked for by name, and not by a preset.
    """

    axes: tuple[str, ...]
    seeds: tuple[int, ...]
    others: tuple[Scenario, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()
    named: frozenset[str] = frozenset()


def scenario_of(name: str) -> Scenario:
    """Return a scenario by its key or name.

    Raises:
        ValueError: there is none, or it cannot be had; the message lists those that can.
    """
    text = name.strip()
    key = text.upper()
    found = CATALOGUE.get(key if key in CATALOGUE else NAMES.get(text.lower().replace("-", "_"), ""))
    if found is None:
        raise ValueError(f"no scenario of a storm: {name!r}; {known()}")
    if found.lacks:
        raise ValueError(f"scenario {found.key} {found.name} cannot be had: {found.lacks}; {known()}")
    return found


def known() -> str:
    """Say what can be asked for."""
    can = ", ".join(f"{scenario.key} {scenario.name}" for scenario in _ALL if not scenario.lacks)
    return f"there are the presets {', '.join(PRESETS)}, the axes {', '.join((*AXES, *TRIALS))}, and {can}"


def chosen(names: str | Iterable[str]) -> Choice:
    """Return what names of presets, axes and scenarios ask for, taken together.

    Parameters:
        names: one or more, as a list or divided by spaces or commas.

    Raises:
        ValueError: a name is unknown, its scenario cannot be had, or there is none.
    """
    words = names.replace(",", " ").split() if isinstance(names, str) else list(names)
    axes: dict[str, None] = {}
    seeds: dict[int, None] = {}
    others: dict[str, Scenario] = {}
    named: set[str] = set()
    for word in words:
        if not isinstance(word, str):
            raise ValueError(f"a scenario is asked for by its name - got {word!r}; {known()}")  # noqa: TRY004 -- as for any other wrong name
        keys = PRESETS.get(word)
        if word in (*AXES, *TRIALS):
            axes[word] = None
            named.update(s.key for s in _ALL if s.axes == (word,))
            continue
        for scenario in map(scenario_of, keys or (word,)):
            if scenario.plain:
                axes.update(dict.fromkeys(scenario.axes))
            else:
                others[scenario.key] = scenario
            if not keys:
                named.add(scenario.key)
                seeds.update(dict.fromkeys(scenario.seeds))
        seeds.update(dict.fromkeys(PRESET_SEEDS.get(word, ())))
    if not axes and not others:
        raise ValueError(f"nothing was asked for; {known()}")
    order = tuple(axis for axis in (*AXES, *TRIALS) if axis in axes)
    rest = [s for s in _ALL if "thorough" in words and s.key not in {*THOROUGH, *named}]
    left_out = tuple((f"{s.key} {s.name}", s.lacks or BY_NAME) for s in rest)
    return Choice(order, tuple(sorted(seeds)) or (0,), tuple(others.values()), left_out, frozenset(named))


def asked(names: str | Iterable[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Return the axes and seeds of the plain sweep that names ask for; see `chosen` for all of it.

    Raises:
        ValueError: as `chosen`.
    """
    choice = chosen(names)
    return choice.axes, choice.seeds
