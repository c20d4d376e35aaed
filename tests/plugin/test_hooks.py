"""What can conftest files add: detectors, decisions, and eyes on verdicts?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite

PLUGS = '''
"""A kind of resource of its own: plugs in sockets."""

import contextlib
import sys

from pytest_taskleak.detectors.base import Detector, Patch
from pytest_taskleak.model import Code, Resource


class Plug:
    def __init__(self, name):
        self.name = name
        self.inside = True

    def pull(self):
        self.inside = False


class Plugs(Detector):
    kind = "plug"
    codes = {"PLUG1": Code(title="left in", meaning="It is in.", cause="Haste.", cure="Pull it.")}

    def patches(self, recorder):
        record = recorder(self.kind, mark=False)

        def wrap(original):
            def __init__(self, *args, **options):
                original(self, *args, **options)
                record(self, sys._getframe(1))
            return __init__

        yield Patch(lambda: [Plug], "__init__", wrap, "plugs")

    def alive(self, thing):
        return thing.inside

    def describe(self, thing):
        return Resource(code="PLUG1", name=thing.name, what="Plug", module="plugs", state="is still plugged in")

    def remove(self, thing):
        thing.pull()
        return False

    def advice(self, resource):
        return "pull the plug"

    @contextlib.contextmanager
    def plant(self):
        plug = Plug("canary")
        yield plug
        plug.pull()
'''
CONFTEST = """
import plugs

def pytest_taskleak_detectors(config):
    return [plugs.Plugs()]
"""


def test_toy_detector(suite: Suite) -> None:
    suite.write(
        """
        from plugs import Plug

        kept = []

        @pytest.fixture(scope="module")
        def lamp():
            kept.append(Plug("lamp"))

        def test_tidy(lamp):
            Plug("tidy").pull()

        def test_leaks():
            kept.append(Plug("heater"))

        @pytest.mark.taskleak(allow="plug:kettle")
        def test_allowed():
            kept.append(Plug("kettle"))

        @pytest.mark.taskleak(detect="-plug")
        def test_unwatched():
            kept.append(Plug("radio"))

        @pytest.mark.taskleak(allow="PLUG1:iron", mode="fail")
        def test_by_code(taskleak):
            kept.append(Plug("iron"))
            assert [f.resource.name for f in taskleak.pending("plug")] == ["iron"]

        def test_pulled(lamp):
            assert [p.name for p in kept if p.inside] == ["lamp", "kettle", "radio", "iron"]
        """,
        plugs=PLUGS,
        conftest=CONFTEST,
    )
    done = suite.run("-v", "--taskleak-severity=plug=fail", process=True)
    assert done.told() == {"test_leaks": ["PLUG1 heater"], "test_pulled": ["PLUG1 lamp"]}
    assert "plug 'heater' (Plug) is still plugged in after the test ended" in done.out
    assert "born      test_it.py:" in done.out
    assert "fix       pull the plug" in done.out
    assert "plug" in done.out.partition("watching")[2].partition("\n")[0]


def test_toy_detector_in_a_session_inside_another(suite: Suite) -> None:
    suite.write(
        "from plugs import Plug\nkept = []\ndef test_a(): kept.append(Plug('heater'))",
        plugs=PLUGS,
        conftest=CONFTEST,
    )
    assert suite.run().told() == {"test_a": ["PLUG1 heater"]}


def test_detector_hook_may_return_nothing(suite: Suite) -> None:
    suite.write("def test_a(): pass", conftest="def pytest_taskleak_detectors(config):\n    return None\n")
    assert suite.run().ret == pytest.ExitCode.OK


def test_allow_hook(suite: Suite) -> None:
    suite.write(
        """
        async def test_reason():
            asyncio.create_task(forever(), name="by-reason")

        async def test_true():
            asyncio.create_task(forever(), name="by-true")

        async def test_none():
            asyncio.create_task(forever(), name="left")
        """,
        conftest="""
        import pytest_taskleak

        def pytest_taskleak_allow(leak, item):
            assert isinstance(leak, pytest_taskleak.Finding)
            assert leak.kind == "task" and leak.owner.nodeid == item.nodeid
            return {"by-reason": "stops with the process", "by-true": True}.get(leak.resource.name)
        """,
    )
    done = suite.run()
    assert done.told() == {"test_none": ["TL101 left"]}
    rules = {r.name: [f["rule"] for f in r.taskleak["allowed"]] for r in done.reports if r.taskleak}
    assert "stops with the process" in rules["test_reason"][0]
    assert len(rules["test_true"]) == 1


def test_leaks_hook_sees_every_verdict(suite: Suite) -> None:
    suite.write(
        """
        @pytest.fixture(scope="module")
        def server():
            threading.Thread(target=threading.Event().wait, name="server", daemon=True).start()

        async def test_leaks():
            asyncio.create_task(forever(), name="left")

        def test_tidy(server):
            pass
        """,
        conftest="""
        def pytest_taskleak_leaks(item, verdict):
            with open("seen.txt", "a") as file:
                print(item.name if item else None, *[f.resource.name for f in verdict.findings], file=file)
        """,
    )
    suite.run(process=True)
    seen = (suite.pytester.path / "seen.txt").read_text().splitlines()
    assert sorted(seen) in (["None server", "test_leaks left"], ["test_leaks left", "test_tidy server"])


@pytest.mark.parametrize(
    "hook", ["pytest_taskleak_allow(leak, item)", "pytest_taskleak_leaks(item, verdict)"]
)
def test_raising_hook_does_not_end_the_session(suite: Suite, hook: str) -> None:
    suite.write(
        """
        async def test_leaks():
            asyncio.create_task(forever(), name="left")

        def test_after():
            pass
        """,
        conftest=f"def {hook}:\n    raise RuntimeError('broken hook')\n",
    )
    done = suite.run(process=True)
    assert "INTERNALERROR" not in done.out
    assert "broken hook" in done.out
    assert [(r.name, r.outcome) for r in done.reports if r.when == "call"] == [
        ("test_leaks", "failed"),
        ("test_after", "passed"),
    ]


# --- rules that matched nothing -------------------------------------------------------------------


def test_unused_rules_are_told(suite: Suite) -> None:
    suite.ini["taskleak_allow"] = "\n  task:used\n  task:unused"
    done = suite(
        """
        @pytest.mark.taskleak(allow=["timer:unused-too", "task:used-too"])
        async def test_a():
            asyncio.create_task(forever(), name="used")
            asyncio.create_task(forever(), name="used-too")
        """,
        "--taskleak-allow=thread:spare",
    )
    assert done.ret == pytest.ExitCode.OK
    for text in ("task:unused", "thread:spare", "timer:unused-too"):
        assert f"'{text}'" in done.out
    assert "'task:used'" not in done.out
    assert "'task:used-too'" not in done.out
    assert "ini taskleak_allow" in done.out


def test_no_unused_rules_are_told_when_some_tests_did_not_run(suite: Suite) -> None:
    suite.ini["taskleak_allow"] = "\n  task:used"
    done = suite(
        """
        def test_a():
            pass

        async def test_b():
            asyncio.create_task(forever(), name="used")
        """,
        "-k",
        "test_a",
    )
    assert "task:used" not in done.out
