"""What is in the wheel and in the source archive, and what their metadata says."""

from __future__ import annotations

import email
import importlib.metadata
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

pytest.importorskip("hatchling")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the wheel and the source archive, built without isolation."""
    folder = tmp_path_factory.mktemp("dist")
    command = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "-t",
        "sdist",
        "-t",
        "wheel",
        "-d",
        str(folder),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def sdist(dist: Path) -> set[str]:
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.fixture(scope="module")
def metadata(wheel: dict[str, bytes]) -> Message:
    return email.message_from_bytes(next(wheel[name] for name in wheel if name.endswith("/METADATA")))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: dict[str, bytes]) -> None:
    info = f"pytest_taskleak-{PROJECT['version']}.dist-info"
    assert {name.partition("/")[0] for name in wheel} == {"pytest_taskleak", info}


def test_the_wheel_holds_every_file_of_the_package(wheel: dict[str, bytes]) -> None:
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "pytest_taskleak").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in wheel if name.startswith("pytest_taskleak/")} == sources


def test_the_wheel_is_typed(wheel: dict[str, bytes]) -> None:
    assert wheel["pytest_taskleak/py.typed"] == b""


def test_the_wheel_runs_everywhere(dist: Path) -> None:
    assert [path.name for path in dist.glob("*.whl")] == [
        f"pytest_taskleak-{PROJECT['version']}-py3-none-any.whl"
    ]


def test_pytest_finds_the_plugin_by_its_short_name(wheel: dict[str, bytes]) -> None:
    text = next(wheel[name] for name in wheel if name.endswith("/entry_points.txt")).decode()
    assert text.split() == ["[pytest11]", "taskleak", "=", "pytest_taskleak.plugin"]


def test_the_licence_is_told_as_spdx_and_travels_along(metadata: Message, wheel: dict[str, bytes]) -> None:
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_all("License-File") == ["LICENSE"]
    assert any(name.endswith("/licenses/LICENSE") for name in wheel)


def test_the_metadata_names_what_is_needed(metadata: Message) -> None:
    lines = metadata.get_all("Requires-Dist", [])
    names = {line.partition(">")[0] for line in lines if "extra ==" not in line}
    assert names == {"objgraph", "psutil", "pytest", "pytest-asyncio"}
    assert [line.partition(">")[0] for line in lines if "extra ==" in line] == ["time-machine"]
    assert metadata.get_all("Provides-Extra") == ["wall"]
    assert metadata["Requires-Python"] == ">=3.11"


def test_the_description_is_the_readme(metadata: Message) -> None:
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).lstrip().startswith("# pytest-taskleak")


def test_the_oldest_python_is_the_same_everywhere() -> None:
    pythons = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if ":: 3." in line]
    assert PROJECT["requires-python"] == f">={pythons[0]}"
    tox = (ROOT / "tox.ini").read_text(encoding="utf-8").split()
    assert [word for word in tox if re.fullmatch(r"py3\d+", word)] == [
        f"py{v.replace('.', '')}" for v in pythons
    ]


def test_the_source_archive_can_run_its_own_tests(sdist: set[str]) -> None:
    wanted = {
        "pyproject.toml",
        "tox.ini",
        "LICENSE",
        "README.md",
        "tests/run.py",
        ".ci/environment.py",
    }
    assert wanted <= sdist


def test_archives_hold_no_litter(sdist: set[str], wheel: dict[str, bytes]) -> None:
    litter = (".pyc", ".pyo", ".orig", ".rej", ".egg-info", ".DS_Store")
    assert [name for name in {*sdist, *wheel} if name.endswith(litter) or ".venv" in name] == []


def test_the_installed_version_is_the_package_s_own() -> None:
    import pytest_taskleak

    assert pytest_taskleak.__version__ == importlib.metadata.version("pytest-taskleak")
    assert pytest_taskleak.__version__ == PROJECT["version"]


def test_public_names_are_listed_and_exist() -> None:
    import pytest_taskleak

    wanted = {
        "Birth", "Finding", "Frame", "LeakError", "LeakGroup", "Owner", "TaskLeak", "TaskleakWarning", "no_leaks",
    }  # fmt: skip
    assert wanted <= set(pytest_taskleak.__all__)
    assert all(hasattr(pytest_taskleak, name) for name in pytest_taskleak.__all__)


def test_public_errors_name_the_package_as_their_home() -> None:
    """So that `-W error::pytest_taskleak.TaskleakWarning` works as people write it."""
    import pytest_taskleak

    assert issubclass(pytest_taskleak.TaskleakWarning, pytest.PytestWarning)
    assert pytest_taskleak.TaskleakWarning.__module__ == "pytest_taskleak"
    assert issubclass(pytest_taskleak.LeakGroup, ExceptionGroup)
