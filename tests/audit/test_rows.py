"""What of the systems that the stress table describes must the audit see?  One test for each of its rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Suite

pytestmark = pytest.mark.no_taskleak(reason="sessions without the watch inside of one that has it")

SITES = 12
FILES = 7


def sites(suite: Suite) -> list[dict[str, Any]]:
    document = json.loads((suite.pytester.path / "audit.json").read_text())
    found: list[dict[str, Any]] = document["sites"]
    return found


def system(line: str) -> dict[str, str]:
    """Return modules with twelve sites in seven of them."""
    files = {}
    for number in range(FILES):
        own = range(number, SITES, FILES)
        functions = [f"def f{n}():\n    {line}\n" for n in own]
        files[f"module_{number}"] = "import asyncio\n\nTASKS = set()\n\n\n" + "\n\n".join(functions)
    return files


def driver() -> str:
    calls = [f"    import module_{n % FILES}; module_{n % FILES}.f{n}()" for n in range(SITES)]
    return "async def test_all():\n" + "\n".join(calls) + "\n    await asyncio.sleep(0.01)\n"


def test_row_18_every_site_is_listed_and_the_gate_wants_none(suite: Suite) -> None:
    suite.ini["taskleak_audit"] = "no-bare-create-task"
    suite.write(driver(), **system("asyncio.create_task(asyncio.sleep(0))"))
    done = suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    found = sites(suite)
    assert [row["made"] for row in found] == [1] * SITES
    assert {row["path"] for row in found} == {f"module_{n}.py" for n in range(FILES)}
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert f"{SITES} sites make tasks that nobody awaits, groups or keeps" in done.out

    suite.write(driver(), **system("TASKS.add(asyncio.create_task(asyncio.sleep(0)))"))
    done = suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    assert [(row["made"], row["state"]) for row in sites(suite)] == [(1, "ok")] * SITES
    assert done.ret == pytest.ExitCode.OK


def test_row_24_unnamed_tasks_are_told(suite: Suite) -> None:
    suite.write(
        """
        import service

        async def test_a():
            await service.unnamed()
            await service.named()
        """,
        service="""
            import asyncio

            async def unnamed():
                await asyncio.create_task(asyncio.sleep(0))

            async def named():
                await asyncio.create_task(asyncio.sleep(0), name="of its own")
        """,
    )
    done = suite.run("--taskleak-audit", "--taskleak-audit-report=audit.json", taskleak=False)
    assert [row["named"] for row in sites(suite)] == ["no", "yes"]
    assert "unnamed  asyncio.create_task, no name" in done.out


def test_row_26_the_site_is_the_caller_of_a_decorated_function(suite: Suite) -> None:
    suite.write(
        """
        import service

        async def test_a():
            await service.caller()
        """,
        service="""
            import asyncio, functools

            def background(name):
                def decorate(function):
                    @functools.wraps(function)
                    def wrapper(*args, **options):
                        return asyncio.create_task(function(*args, **options), name=name)
                    return wrapper
                return decorate

            @background("refresh")
            async def refresh():
                pass

            async def caller():
                refresh()
                await refresh()
        """,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    told = [(row["function"], row["made"], row["state"]) for row in sites(suite)]
    assert told == [
        ("background.<locals>.decorate.<locals>.wrapper", 2, "ok"),
        ("caller", 1, "unstructured"),
        ("caller", 1, "ok"),
    ]


def test_row_33_a_bare_task_beside_a_group_names_the_group(suite: Suite) -> None:
    suite.write(
        """
        import service

        async def test_a():
            await service.Service().start()
        """,
        service="""
            import asyncio

            class Service:
                async def start(self, tg=None):
                    if tg is not None:
                        tg.create_task(self.work())
                    else:
                        asyncio.create_task(self.work())

                async def work(self):
                    pass
        """,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    grouped, bare = sites(suite)
    assert (grouped["state"], grouped["group_at_hand"]) == ("ok", "")
    assert (bare["state"], bare["group_at_hand"]) == ("unstructured", "tg")
    assert bare["cure"] == "a group is at hand: tg.create_task(...)"


def test_row_59_tasks_of_one_name_at_once_are_counted(suite: Suite) -> None:
    suite.write(
        """
        import service

        async def test_a():
            for _ in range(5):
                service.hit("key")
            await asyncio.sleep(0.01)
            service.hit("key")
            await asyncio.sleep(0.01)
        """,
        service="""
            import asyncio

            TASKS = set()

            def hit(key):
                TASKS.add(asyncio.create_task(asyncio.sleep(0), name=f"refresh {key}"))
        """,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    (row,) = sites(suite)
    assert (row["made"], row["at_once"], row["same_name_at_once"]) == (6, 5, 5)
    assert row["why"] == "5 of one name at once"


def test_row_80_a_task_that_runs_before_it_is_registered(suite: Suite) -> None:
    suite.write(
        "def test_a(): pass",
        service="""
            import asyncio

            class Registry:
                async def late(self):
                    task = asyncio.create_task(work())
                    await self.announce(task)
                    self.tasks.add(task)

                async def early(self):
                    task = asyncio.create_task(work())
                    self.tasks.add(task)
                    await self.announce(task)
        """,
    )
    suite.run("--taskleak-audit-report=audit.json", taskleak=False)
    late, early = sites(suite)
    assert (late["state"], early["state"]) == ("loose", "ok")
    assert late["why"] == "runs from line 6 on, before it is kept in self.tasks"
