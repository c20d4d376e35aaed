"""Which files are looked through, and how are helpers followed from file to file?"""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest

from pytest_taskleak.audit.calls import Making
from pytest_taskleak.audit.files import Where, module_name
from pytest_taskleak.audit.project import Project
from pytest_taskleak.audit.scan import Scan
from pytest_taskleak.audit.sites import Site


def project(root: Path, **files: str) -> Project:
    for name, text in files.items():
        path = root / (name.replace("__", "/").replace("/init/", "/__init__") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return Project(Where(root=str(root), skip=(".*", "build", "venv"), tests=("checks",)))


def told(sites: list[Site]) -> list[str]:
    return [f"{s.path}:{s.line} {s.call} {s.fate.how}{f' via {s.via}' if s.via else ''}" for s in sites]


def test_files_of_the_user_only(tmp_path: Path) -> None:
    bare = "import asyncio\n\ndef f():\n    asyncio.create_task(work())\n"
    for path in (
        *("app/a.py", "b.py", "build/c.py", ".hidden/d.py", "env/pyvenv.cfg", "env/lib/e.py"),
        *("vendor/site-packages/f.py", "app/__pycache__/g.py", "venv/h.py"),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(bare, encoding="utf-8")
    (tmp_path / "loop").symlink_to(tmp_path)
    found = project(tmp_path)
    assert [site.path for site in found.sites()] == ["app/a.py", "b.py"]
    assert found.problems == []


@pytest.mark.parametrize(
    ("path", "is_test"),
    [
        ("app/service.py", False),
        ("contest/service.py", False),
        ("app/test_service.py", True),
        ("app/service_test.py", True),
        ("tests/helpers.py", True),
        ("conftest.py", True),
        ("checks/helpers.py", True),
        ("checks2/helpers.py", False),
    ],
)
def test_test_code_is_known_by_its_place(path: str, is_test: bool) -> None:
    assert Where(root="/", tests=("checks",)).is_test(path) is is_test


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "latin.py").write_bytes(b"# create_task \xe4\n")
    (tmp_path / "declared.py").write_bytes(
        b"# coding: latin-1\n# \xe4\nimport asyncio\nasyncio.create_task(x())\n"
    )
    (tmp_path / "nul.py").write_bytes(b"create_task\0\n")
    found = project(tmp_path, broken="import asyncio\nasyncio.create_task(\n", fine="x = 1\n")
    assert [site.path for site in found.sites()] == ["declared.py"]
    assert sorted(problem.path for problem in found.problems) == ["broken.py", "latin.py", "nul.py"]
    assert any(str(problem).startswith("broken.py:2: not read: ") for problem in found.problems)


def test_what_cannot_be_followed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = project(tmp_path, **dict.fromkeys(("deep", "fine"), "import asyncio\nasyncio.create_task(f())\n"))
    follow = Scan.site

    def site(scan: Scan, call: ast.Call, making: Making) -> Site:
        if scan.source.path == "deep.py":
            raise RecursionError("too deep")
        return follow(scan, call, making)

    monkeypatch.setattr(Scan, "site", site)
    assert [site.path for site in found.sites()] == ["fine.py"]
    assert [str(problem) for problem in found.problems] == ["deep.py: not followed: RecursionError: too deep"]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("app/tasks.py", "app.tasks"),
        ("src/app/tasks.py", "app.tasks"),
        ("app/__init__.py", "app"),
        ("a.py", "a"),
    ],
)
def test_module_names(path: str, name: str) -> None:
    assert module_name(path) == name


def test_a_helper_that_returns_leaves_the_verdict_to_its_callers(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        app__tasks="""
            import asyncio

            def spawn(coro):
                return asyncio.create_task(coro)
        """,
        app__service="""
            from app.tasks import spawn
            from . import tasks
            from .tasks import spawn as again

            async def f():
                spawn(work())
                tasks.spawn(work())
                again(work())
                await spawn(work())

            def g():
                other.spawn(work())
        """,
    )
    assert told(found.sites()) == [
        "app/service.py:7 spawn() dropped via spawn",
        "app/service.py:8 tasks.spawn() dropped via spawn",
        "app/service.py:9 again() dropped via spawn",
        "app/service.py:10 spawn() awaited via spawn",
        "app/tasks.py:5 asyncio.create_task returned",
    ]


def test_a_helper_that_keeps_sees_to_what_its_callers_drop(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        tasks="""
            import asyncio

            TASKS = set()

            def spawn(coro):
                task = asyncio.create_task(coro)
                TASKS.add(task)
                return task

            def f():
                spawn(work())
        """,
    )
    assert told(found.sites()) == [
        "tasks.py:7 asyncio.create_task kept",
        "tasks.py:12 spawn() kept via spawn",
    ]
    assert found.sites()[0].helper == "keeps"


def test_a_helper_that_loses_is_told_once(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        tasks="""
            import asyncio

            def spawn(coro):
                asyncio.create_task(coro)

            def f():
                spawn(work())
        """,
    )
    assert told(found.sites()) == [
        "tasks.py:5 asyncio.create_task dropped",
        "tasks.py:8 spawn() handed via spawn",
    ]


def test_a_decorator_makes_helpers(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        tasks="""
            import asyncio, functools

            def background(function):
                @functools.wraps(function)
                def wrapper(*args):
                    return asyncio.create_task(function(*args))
                return wrapper

            @background
            async def refresh(key):
                ...

            def f():
                refresh(1)
        """,
    )
    assert told(found.sites()) == [
        "tasks.py:7 asyncio.create_task returned",
        "tasks.py:15 refresh() dropped via @background refresh",
    ]


def test_a_helper_of_a_helper(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        tasks="""
            import asyncio

            class Tasks:
                def _make(self, coro):
                    return asyncio.create_task(coro)

                def spawn(self, coro):
                    return self._make(coro)

                def run(self):
                    self.spawn(work())
        """,
    )
    assert told(found.sites()) == [
        "tasks.py:6 asyncio.create_task returned",
        "tasks.py:9 self._make() returned via Tasks._make",
        "tasks.py:12 self.spawn() dropped via Tasks.spawn",
    ]


def test_an_own_coroutine_makes_no_helper_of_its_function(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        tasks="""
            import asyncio

            class Service:
                def start(self):
                    self.task = asyncio.create_task(self.run())

                def again(self):
                    self.start()
        """,
    )
    assert told(found.sites()) == ["tasks.py:6 asyncio.create_task kept"]


def test_a_group_at_hand_is_named(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        service="""
            import asyncio

            async def start(tg=None):
                if tg is not None:
                    tg.create_task(work())
                else:
                    asyncio.create_task(work())
        """,
    )
    assert [(site.fate.how, site.near) for site in found.sites()] == [("group", ""), ("dropped", "tg")]


def test_subclasses_of_threads(tmp_path: Path) -> None:
    found = project(
        tmp_path,
        app__workers="""
            import threading
            from threading import Thread

            class Worker(Thread):
                pass

            class Daemon(Worker):
                def __init__(self):
                    super().__init__(daemon=True)
        """,
        app__main="""
            from app.workers import Worker, Daemon

            def f():
                Worker().start()
        """,
        app__local="""
            from threading import Thread

            class Own(Thread):
                def __init__(self):
                    super().__init__(daemon=True)

            def f():
                Own().start()
        """,
    )
    sites = [site for site in found.sites() if site.kind == "thread"]
    assert [(site.path, site.line, site.daemon) for site in sites] == [
        ("app/local.py", 9, True),
        ("app/main.py", 5, False),
    ]


@pytest.mark.parametrize(
    ("comment", "why"),
    [
        ("# taskleak: fire-and-forget because it is a beacon", "it is a beacon"),
        ("# taskleak: fire and forget, because it is a beacon", "it is a beacon"),
        ("# type: ignore  # taskleak: fire-and-forget because it is a beacon", "it is a beacon"),
        ("# taskleak: fire-and-forget", ""),
        ("# taskleak: fire-and-forget because", ""),
        ("# taskleak: ok", ""),
    ],
)
def test_an_excuse_needs_a_reason(tmp_path: Path, comment: str, why: str) -> None:
    text = f"import asyncio\n\ndef f():\n    asyncio.create_task(work())  {comment}\n"
    (site,) = project(tmp_path, a=text).sites()
    assert site.excuse == why


def test_where_an_excuse_stands(tmp_path: Path) -> None:
    text = """
        import asyncio

        def f():
            # taskleak: fire-and-forget because the next line
            asyncio.create_task(work())
            asyncio.create_task(
                work(),  # taskleak: fire-and-forget because within
            )
            asyncio.create_task(work())
    """
    assert [site.excuse for site in project(tmp_path, a=text).sites()] == ["the next line", "within", ""]
