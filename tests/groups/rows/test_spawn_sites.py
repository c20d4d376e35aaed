"""Rows 18, 24, 26 and 33, where tasks are made: does the audit know each place, its names, and what it could use?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Done, Suite

pytestmark = pytest.mark.no_taskleak(reason="sessions without the watch inside of one that has it")

WORK = "async def work():\n    pass\n"
BARE = "asyncio.create_task(work())\n"
STRUCTURED = "group.create_task(work(), name={name!r})\n"
SITES = {"orders": 3, "mail": 2, "cart": 2, "users": 2, "search": 1, "stock": 1, "prices": 1}
"""Module -> how many places of it make a task: twelve in seven files."""


def written(suite: Suite, line: str) -> None:
    """Write the modules, and a test that runs each of their places twice."""
    files = {}
    for module, number in SITES.items():
        functions = [
            f"\ndef send_{place}(group):\n    {line.format(name=f'{module}-{place}')}"
            for place in range(number)
        ]
        files[module] = f"import asyncio\n\n\n{WORK}\n" + "\n".join(functions)
    calls = [f"{module}.send_{place}(group)" for module, number in SITES.items() for place in range(number)]
    body = "".join(f"            {call}\n" for call in calls)
    suite.write(
        f"""
import {", ".join(SITES)}
from pytest_taskleak import TrackedTaskGroup

async def test_all():
    async with TrackedTaskGroup() as group:
        for _ in range(2):
{body}        await asyncio.sleep(0.01)
""",
        **files,
    )


def audited(suite: Suite, *args: str) -> tuple[Done, list[dict[str, Any]]]:
    """Run the suite under the audit; return the run and the sites of the code that is no test."""
    done = suite.run("--taskleak-audit", "--taskleak-audit-report=audit.json", *args, taskleak=False)
    sites = json.loads((suite.pytester.path / "audit.json").read_text())["sites"]
    return done, [site for site in sites if not site["test_code"]]


def test_row_18_every_bare_site_is_listed_and_the_gate_is_shut(suite: Suite) -> None:
    written(suite, BARE)
    done, sites = audited(suite, "--taskleak-audit-gate=no-bare-create-task")
    places = {module: [site for site in sites if site["path"] == f"{module}.py"] for module in SITES}
    assert {module: len(found) for module, found in places.items()} == SITES
    assert len(sites) == 12
    for site in sites:
        assert (site["state"], site["made"], site["named"], site["awaited"]) == (
            "unstructured",
            2,
            "no",
            "no",
        )
        assert site["tests"] == ["test_it.py::test_all"]
    assert "12 sites in 7 files: 12 unstructured; 12 seen in this run" in done.out
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    assert "no-bare-create-task: 12 sites" in done.out


def test_row_18_no_bare_site_opens_the_gate(suite: Suite) -> None:
    written(suite, STRUCTURED)
    done, sites = audited(suite, "--taskleak-audit-gate=no-bare-create-task")
    assert len(sites) == 12
    assert {(site["state"], site["made"], site["named"]) for site in sites} == {("ok", 2, "yes")}
    assert done.ret == pytest.ExitCode.OK


def test_row_24_tasks_without_a_name_are_told(suite: Suite) -> None:
    suite.write(
        """
        import app

        async def test_all():
            await asyncio.gather(app.named(), app.unnamed(), *app.some())
        """,
        app="""
            import asyncio

            async def work():
                await asyncio.sleep(0)

            def named():
                return asyncio.create_task(work(), name="ledger")

            def unnamed():
                return asyncio.create_task(work())

            def some():
                return [asyncio.create_task(work(), name=name) for name in ("a", None)]
        """,
    )
    _, sites = audited(suite)
    assert {
        site["function"].partition(".")[0]: site["named"]
        for site in sites
        if site["call"] == "asyncio.create_task"
    } == {
        "named": "yes",
        "unnamed": "no",
        "some": "1 of 2",
    }


def test_row_26_the_site_is_the_caller_of_a_helper(suite: Suite) -> None:
    suite.write(
        """
        import app

        async def test_all():
            app.order()
            app.order()
            app.refund()
            await asyncio.sleep(0.01)
        """,
        app="""
            import asyncio
            import functools

            def in_background(function):
                @functools.wraps(function)
                def spawn(*args):
                    return asyncio.create_task(function(*args), name=function.__name__)
                return spawn

            @in_background
            async def publish(event):
                pass

            def order():
                publish("order")

            def refund():
                publish("refund")
        """,
    )
    _, sites = audited(suite)
    callers = {site["function"]: site["made"] for site in sites if site["via"]}
    assert callers == {"order": 2, "refund": 1}, sites


def test_row_33_a_bare_task_beside_a_group_is_told(suite: Suite) -> None:
    suite.write(
        """
        import app

        async def test_all():
            async with asyncio.TaskGroup() as tg:
                app.start(tg)
            app.start()
            await asyncio.sleep(0.01)
        """,
        app="""
            import asyncio

            async def flush():
                pass

            def start(tg: asyncio.TaskGroup | None = None):
                if tg is not None:
                    tg.create_task(flush(), name="flush")
                else:
                    asyncio.create_task(flush(), name="flush")
        """,
    )
    done, sites = audited(suite)
    (bare,) = [site for site in sites if site["state"] == "unstructured"]
    assert (bare["call"], bare["group_at_hand"], bare["made"]) == ("asyncio.create_task", "tg", 1)
    assert "a group is at hand: tg.create_task(...)" in done.out
    (grouped,) = [site for site in sites if site["state"] == "ok"]
    assert grouped["made"] == 1
