"""What does a test get from the fixture `shutdown_storm` and from the markers, and what does it fail with?"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

SERVICE = """
import asyncio

import pytest


class Service:
    def __init__(self, env):
        self.env, self.queue, self.workers = env, asyncio.Queue(), []

    async def start(self):
        self.workers = [asyncio.create_task(self.work(), name=f"worker-{n}") for n in range(2)]

    async def work(self):
        while (item := await self.queue.get()) is not None:
            await asyncio.sleep(0.01)
            self.env.finish(item)

    async def stop(self):
        for _ in self.workers:
            self.queue.put_nowait(None)
        workers, self.workers = self.workers, []
        await asyncio.gather(*workers)


class Forgetful(Service):
    async def stop(self):
        workers, self.workers = self.workers, []
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def load(service, env):
    for item in range(4):
        service.queue.put_nowait(env.accept(item))
"""
TESTS = """
from service import *

def test_forgetful(shutdown_storm):
    shutdown_storm(Forgetful, load, scenarios="stop")
"""


@pytest.fixture
def storms(suite: Any) -> Any:
    """A suite with a service."""
    suite.write(service=SERVICE)
    return suite


def tokens(text: str) -> list[str]:
    """The tokens that a report prints."""
    return re.findall(r"--taskleak-replay=(\S+)", text)


@pytest.mark.parametrize("watched", [False, True], ids=["alone", "watched"])
def test_what_is_lost_fails_the_test_with_its_replay(storms: Any, watched: bool) -> None:
    done = storms(TESTS, taskleak=watched)
    report = done.one("test_forgetful", "call")
    assert report.outcome == "failed"
    assert "L accepted work lost" in report.text
    assert not done.findings()
    token, *_ = tokens(report.text)
    assert token.startswith("stop@")
    for _ in range(3):
        again = storms.run(f"--taskleak-replay={token}", taskleak=watched).one("test_forgetful", "call")
        assert "L accepted work lost" in again.text
        assert f"the moment: {token}" in again.text


def test_what_is_sound_passes_and_is_told_in_a_line(storms: Any) -> None:
    done = storms(
        """
        from service import *

        def test_fine(shutdown_storm):
            report = shutdown_storm(Service, load, scenarios="stop stop2")
            assert report.complete and report.deterministic and not report.failing
            assert [axis.ran for axis in report.axes] == [report.points] * 2
        """
    )
    report = done.one("test_fine", "call")
    assert report.outcome == "passed", report.text
    (told,) = [body for title, body in report.sections if "shutdown storm" in title]
    assert "deterministic" in told
    assert len(told.splitlines()) == 1


def test_files(storms: Any) -> None:
    storms(TESTS, "--taskleak-report=storm.json", "--taskleak-report=storm.html")
    found = json.loads((storms.pytester.path / "storm.json").read_text())
    assert [storm["name"] for storm in found["storms"]] == ["Forgetful"]
    page = (storms.pytester.path / "storm.html").read_text()
    HTMLParser().feed(page)
    assert "Forgetful" in page
    assert "http://" not in page.replace("http://www.w3.org/", "")


TWICE = """
from service import *

def test_two(shutdown_storm):
    shutdown_storm(Service, load, scenarios="stop", seeds=range(2))
    shutdown_storm(Forgetful, load, scenarios="stop cancel")

def test_none():
    pass

@pytest.mark.taskleak(cancel="each")
async def test_marked():
    await asyncio.sleep(0.01)
"""


def junit(storms: Any) -> dict[str, dict[str, str]]:
    """Test -> its properties in the JUnit file."""
    cases = ET.parse(storms.pytester.path / "storm.xml").getroot().iter("testcase")  # noqa: S314 -- our own
    return {
        str(case.get("name")): {str(one.get("name")): str(one.get("value")) for one in case.iter("property")}
        for case in cases
    }


@pytest.mark.parametrize("workers", [0, 2])
def test_junit_files_have_properties(storms: Any, workers: int) -> None:
    if workers:
        storms.plugins.append("xdist")
    storms(TWICE, "--junitxml=storm.xml", *(["-n", str(workers)] if workers else []), process=bool(workers))
    told = junit(storms)
    assert told["test_none"] == {}
    assert told["test_marked"]["storm"] == "test_marked"
    two = told["test_two"]
    runs = int(two.pop("storm.runs"))
    points = int(two.pop("storm.points"))
    assert runs > 2 * points > 20
    assert int(two.pop("storm-2.runs")) > 2 * int(two.pop("storm-2.points")) > 20
    made, planned = two.pop("storm.swept").split("/")
    assert made == planned
    assert two.pop("storm-2.swept").count("/") == 1
    assert float(two.pop("storm.worst_drain")) > 0.01 > float(two.pop("storm-2.worst_drain"))
    token = two.pop("storm-2.token-1")
    assert token.startswith("stop")
    assert re.fullmatch(
        r"L accepted work lost, \d+ times: item 0 was accepted and is lost \(.+\)", two.pop("storm-2.cause-1")
    )
    assert two == {
        "storm": "Service",
        "storm.seeds": "0 1",
        "storm.causes": "0",
        "storm-2": "Forgetful",
        "storm-2.seeds": "0",
        "storm-2.causes": "1",
    }
    storms.run("-k", "test_two", f"--taskleak-replay={token}", "--junitxml=storm.xml")
    assert junit(storms)["test_two"]["storm-2.token-1"] == token


def test_budget(storms: Any) -> None:
    storms.write(TESTS)
    report = storms.run("--taskleak-budget=0.000001s").one("test_forgetful", "call")
    told = [body for title, body in report.sections if "shutdown storm" in title]
    assert "nothing is said of the rest" in report.text + "".join(told)


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ("--taskleak-budget=soon", "'budget' must be seconds, 0 or more - got 'soon'"),
        ("--taskleak-report=storm.xml", "must end in one of .json, .html"),
    ],
)
def test_bad_options(usage_error: Any, argument: str, text: str) -> None:
    assert text in usage_error(argument)


def test_a_bad_token_is_refused(storms: Any) -> None:
    text = storms(TESTS, "--taskleak-replay=halt@3").one("test_forgetful", "call").text
    assert "no token of a storm: 'halt@3'" in text
    assert "stop, cancel" in text


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("shutdown_storm(Service, load, scenarios='all')", "quick, default, thorough"),
        ("shutdown_storm(object(), load)", "made anew for each run"),
        ("shutdown_storm(dict)", "has neither start"),
        ("shutdown_storm.taskgroup(print)", "takes a coroutine function"),
    ],
)
def test_misuse_says_what_is_allowed(storms: Any, call: str, text: str) -> None:
    done = storms(f"from service import *\n\ndef test_it(shutdown_storm):\n    {call}\n")
    assert text in done.one("test_it", "call").text


def test_in_a_coroutine_it_says_so(storms: Any) -> None:
    done = storms(
        "from service import *\n\nasync def test_it(shutdown_storm):\n    shutdown_storm(Service)\n"
    )
    assert "call it in a plain" in done.one("test_it", "call").text


MARKED = """
from service import *
import pytest_asyncio


class Poller:
    async def start(self):
        self.task = asyncio.create_task(self.poll(), name="poller")

    async def poll(self):
        while True:
            await asyncio.sleep(0.01)

    async def stop(self):
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest_asyncio.fixture
async def settings():
    return {"stop": True}


@pytest_asyncio.fixture
async def poller(settings):
    poller = Poller()
    await poller.start()
    try:
        yield poller
    finally:
        if settings["stop"]:
            await poller.stop()


@pytest_asyncio.fixture
async def careless():
    poller = Poller()
    await poller.start()
    yield poller
    await poller.stop()


@pytest.mark.taskleak(storm="quick")
async def test_sound(poller):
    await asyncio.sleep(0.05)


@pytest.mark.taskleak(storm="kill")
async def test_nobody_is_killed(poller):
    await asyncio.sleep(0.05)


async def child():
    await asyncio.sleep(0.01)


@pytest.mark.taskleak(cancel="each")
async def test_each_careless():
    task = asyncio.create_task(child(), name="helper")
    await asyncio.sleep(0.005)
    await task


@pytest.mark.taskleak(cancel="each")
async def test_each_sound():
    async with asyncio.TaskGroup() as group:
        group.create_task(child(), name="helper")
        await asyncio.sleep(0.005)


class TestMethods:
    @pytest.mark.taskleak(cancel="each")
    async def test_method(self, poller, tmp_path):
        await asyncio.sleep(0.005)
        assert tmp_path.exists()
"""


@pytest.mark.parametrize("watched", [False, True], ids=["alone", "watched"])
def test_markers(storms: Any, watched: bool) -> None:
    done = storms(MARKED, taskleak=watched)
    assert done.failed() == [("test_each_careless", "call")], done.out
    text = done.one("test_each_careless", "call").text
    assert "task 'helper'" in text
    token, *_ = tokens(text)
    again = storms.run("-k", "test_each_careless", f"--taskleak-replay={token}", taskleak=watched)
    assert "task 'helper'" in again.one("test_each_careless", "call").text


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        ("storm='often'", "quick, default, thorough"),
        ("cancel='some'", "cancel must be 'each' - got 'some'"),
    ],
)
def test_bad_markers(storms: Any, mark: str, text: str) -> None:
    storms.write(f"@pytest.mark.taskleak({mark})\nasync def test_it(): pass\n")
    done = storms.run(process=True)
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert text in done.out + done.err


def test_a_plain_function_cannot_be_run_again(storms: Any) -> None:
    done = storms("@pytest.mark.taskleak(cancel='each')\ndef test_it(): pass\n")
    assert "needs an async test" in done.one("test_it", "call").text


def test_workers_share_a_storm(storms: Any) -> None:
    storms.plugins.append("xdist")
    done = storms(TESTS, "-n", "2", "--taskleak-spread=auto", process=True)
    names = {report.name for report in done.reports if report.when == "call"}
    assert names == {"test_forgetful[storm-1of2]", "test_forgetful[storm-2of2]"}
    text = "\n".join(report.text for report in done.reports)
    assert "--taskleak-replay=stop@" in text
    assert "[storm-" not in text


def test_parts_are_the_whole(storms: Any) -> None:
    done = storms(
        """
        from service import *

        RAN = []

        def test_parts(shutdown_storm):
            report = shutdown_storm(Service, load, scenarios="stop cancel")
            RAN.append((sum(axis.ran for axis in report.axes), report.points))

        def test_sum():
            ran, (points, *_) = [each for each, _ in RAN], [each for _, each in RAN]
            assert len(ran) == 3 and sum(ran) == 2 * points and max(ran) - min(ran) <= 2
        """,
        "--taskleak-spread=3",
    )
    assert not done.failed(), done.out


def test_a_storm_that_is_interrupted_tells_what_it_has(storms: Any) -> None:
    done = storms(
        """
        from service import *

        CALLS = []

        class Interrupting(Forgetful):
            async def start(self):
                CALLS.append(self)
                if len(CALLS) == 10:
                    raise KeyboardInterrupt
                await super().start()

        def test_it(shutdown_storm):
            shutdown_storm(Interrupting, load, scenarios="stop cancel")
        """,
        process=True,
    )
    assert done.ret == pytest.ExitCode.INTERRUPTED
    assert "L accepted work lost" in done.out
    assert "--taskleak-replay=stop@" in done.out


@pytest.mark.parametrize("word", ["0", "many"])
def test_bad_parts(storms: Any, word: str) -> None:
    storms.write(TESTS)
    done = storms.run(f"--taskleak-spread={word}", process=True)
    assert (
        f"'spread' must be a whole number, 1 or more, or auto: as many as xdist has workers - got '{word}'"
        in (done.out + done.err)
    )


ASGI = """
import asyncio


class App:
    def __init__(self, wait):
        self.rows, self.tasks, self.wait = [], set(), wait

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                if message["type"] == "lifespan.shutdown" and self.wait:
                    await asyncio.gather(*self.tasks)
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        number = scope["path"].rpartition("/")[2]
        task = asyncio.create_task(self.store(number), name="store")
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def store(self, number):
        await asyncio.sleep(0.01)
        self.rows.append(number)


def test_waits(shutdown_storm):
    shutdown_storm.asgi(lambda: App(True), [("POST", "/ev/{i}")] * 4, stored=lambda app: app.rows, scenarios="stop")


def test_forgets(shutdown_storm):
    shutdown_storm.asgi(lambda: App(False), [("POST", "/ev/{i}")] * 4, stored=lambda app: app.rows, scenarios="stop")
"""


def test_asgi(storms: Any) -> None:
    done = storms(ASGI)
    assert done.failed() == [("test_forgets", "call")], done.out
    assert "task 'store'" in done.one("test_forgets", "call").text


@pytest.mark.parametrize("watched", [False, True], ids=["alone", "watched"])
def test_modes_agree(storms: Any, watched: bool) -> None:
    done = storms(
        """
        from service import *

        def test_sim(shutdown_storm):
            shutdown_storm(Forgetful, load, scenarios="stop cancel")

        def test_fork(shutdown_storm):
            shutdown_storm(Forgetful, load, scenarios="stop cancel", mode="fork")

        def test_real(shutdown_storm):
            shutdown_storm(Forgetful, load, scenarios="stop cancel", mode="real", moments=6)

        def test_other(shutdown_storm):
            shutdown_storm(Forgetful, load, mode="dream")
        """,
        taskleak=watched,
        process=True,
    )
    texts = {name: done.one(f"test_{name}", "call").text for name in ("sim", "fork", "real", "other")}
    found = {name: set(re.findall(r"^FAIL  (\w)", texts[name], re.MULTILINE)) for name in ("sim", "fork")}
    assert found["sim"] == found["fork"] == {"L"}
    assert tokens(texts["sim"]) == tokens(texts["fork"])
    assert "a sample, not a proof" in texts["real"]
    assert "mode must be one of sim, fork, real - got 'dream'" in texts["other"]


def test_the_first_failure_is_made_small(storms: Any) -> None:
    done = storms(
        """
        from service import *

        def some(service, env):
            for item in env.items(4):
                service.queue.put_nowait(env.accept(item))

        def test_it(shutdown_storm):
            shutdown_storm(Forgetful, some, scenarios="stop")
        """
    )
    assert re.search(r"\(1 item of 4, point \d+ of \d+\)", done.one("test_it", "call").text)


def test_scenarios_of_the_catalogue(storms: Any) -> None:
    done = storms(
        """
        from service import *

        def test_it(shutdown_storm):
            report = shutdown_storm(Service, load, scenarios=["S1", "double_stop", "restart_n"])
            assert {"stop", "stop2"} <= {axis.axis for axis in report.axes}
            assert any("S14" in axis.axis for axis in report.axes)
        """
    )
    assert done.one("test_it", "call").outcome == "passed", done.out
