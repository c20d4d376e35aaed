"""The cache: environments, unpacked sources, the installed plugin; and running pytest in them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from recipes import Suite

HELPER = Path(__file__).with_name("collect.py")
HELPER_NAME = "taskleak_downstream_collect"  # its own name, in a folder of its own: nothing is shadowed
CLOCK = Path(__file__).with_name("under_the_clock.py")
HELPERS = ("psutil", "objgraph")  # what the plugin needs besides pytest; there in both runs
FOREIGN = ("PYTHONPATH", "PYTEST_ADDOPTS", "PYTEST_PLUGINS", "TASKLEAK", "VIRTUAL_ENV", "COLUMNS")


class PreparationError(Exception):
    """A suite could not be made ready; the text says at which command."""


@dataclass(frozen=True)
class Process:
    """How one pytest process ended."""

    seconds: float
    exitcode: int
    hung: bool


@dataclass(frozen=True)
class Workshop:
    """Everything that is kept between runs lies under one folder."""

    cache: Path
    pythons: Mapping[str, str] = field(default_factory=dict)
    sources: Path | None = None

    def prepare(self, suite: Suite) -> None:
        """Make the environment and the sources of a suite, unless they are there."""
        source = self.source(suite)
        stamped(source, suite.source, lambda: self._get(suite, source))
        venv = self.cache / "venvs" / suite.name
        wanted = "\n".join((suite.python, suite.source, *suite.pip))
        stamped(venv, wanted, lambda: self._install(suite, venv))
        extras = self._extras(suite)
        install = [*self._pip(suite), "install", "--target", str(extras), "--no-deps", *HELPERS]
        stamped(extras, " ".join(HELPERS), lambda: call(install, cwd=self.cache))
        helper = self.cache / "helper"
        helper.mkdir(exist_ok=True)
        shutil.copy(HELPER, helper / f"{HELPER_NAME}.py")
        shutil.copy(CLOCK, helper)

    def source(self, suite: Suite) -> Path:
        """The unpacked sources, where the suite is run."""
        return self.cache / "sources" / suite.name

    def install_plugin(self, what: str) -> Path:
        """Install a wheel or a project folder apart, where only PYTHONPATH shows it."""
        target = self.cache / "plugin"
        shutil.rmtree(target, ignore_errors=True)
        self.cache.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(target)]
        call([*pip, what], cwd=self.cache)
        return target

    def run(self, suite: Suite, args: Iterable[str], *, plugin: Path | None, output: Path) -> Process:
        """Run pytest once; reports go to `output`, all it prints to a log beside it."""
        output.parent.mkdir(exist_ok=True)
        output.unlink(missing_ok=True)
        paths = [self.cache / "helper", *([plugin] if plugin else []), self._extras(suite)]
        environment = {
            **{name: value for name, value in os.environ.items() if name not in FOREIGN},
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONHASHSEED": "0",
            "DOWNSTREAM_OUTPUT": str(output),
        }
        command = [str(self._python(suite)), "-m", "pytest", "-p", HELPER_NAME]
        command += ["-p", "no:cacheprovider", *args]
        with output.with_suffix(".log").open("wb") as log:
            return supervise(command, self.source(suite), environment, suite.timeout, log.fileno())

    def _python(self, suite: Suite) -> Path:
        return self.cache / "venvs" / suite.name / "bin" / "python"

    def _pip(self, suite: Suite) -> list[str]:
        return [str(self._python(suite)), "-m", "pip", "--disable-pip-version-check", "-q"]

    def _extras(self, suite: Suite) -> Path:
        return self.cache / "extras" / suite.python

    def _install(self, suite: Suite, venv: Path) -> None:
        call([find_python(suite.python, self.pythons), "-m", "venv", str(venv)], cwd=self.cache)
        call([*self._pip(suite), "install", *suite.pip], cwd=self.source(suite))

    def _get(self, suite: Suite, target: Path) -> None:
        if not suite.is_git:
            download(suite, target, find_python(suite.python, self.pythons))
            return
        by_hand = self.sources and self.sources / suite.repository.replace("/", "+")
        if by_hand and by_hand.is_dir():
            shutil.copytree(by_hand, target, ignore=shutil.ignore_patterns(".git"), symlinks=True)
        else:
            clone(suite, target)


def stamped(folder: Path, text: str, make: Callable[[], None]) -> None:
    """Make a folder once: a stamp beside it tells of what it was made."""
    stamp = folder.with_name(folder.name + ".stamp")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == text:
        return
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    make()
    stamp.write_text(text, encoding="utf-8")


def download(suite: Suite, target: Path, python: str) -> None:
    """Get an sdist through pip and unpack it, without the folder all its files are in."""
    box = target.with_name(f"{target.name}.download")
    shutil.rmtree(box, ignore_errors=True)
    box.mkdir()
    name = suite.requirement.partition("==")[0]
    command = [python, "-m", "pip", "-q", "download", "--no-deps", "--no-binary", name]
    call([*command, suite.requirement], cwd=box)
    (archive,) = box.iterdir()
    with tarfile.open(archive) as tar:
        tar.extractall(box, filter="data")
    (top,) = (path for path in box.iterdir() if path.is_dir())
    top.rename(target)
    shutil.rmtree(box)


def clone(suite: Suite, target: Path) -> None:
    """Get exactly one commit of a repository."""
    target.mkdir()
    url = f"https://github.com/{suite.repository}"
    call(["git", "init", "--quiet"], cwd=target)
    call(["git", "fetch", "--quiet", "--depth", "1", url, suite.commit], cwd=target)
    call(["git", "checkout", "--quiet", "FETCH_HEAD"], cwd=target)


def find_python(version: str, chosen: Mapping[str, str]) -> str:
    """An interpreter of a version: the chosen one, one on the path, or one of pyenv's."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [str(path) for path in root.glob(f"{version}*/bin/python{version}")]
    for candidate in (chosen.get(version), sys.executable, f"python{version}", *sorted(found)):
        if candidate and version_of(candidate) == version:
            return candidate
    msg = f"no Python {version}: give one with --python {version}=PATH"
    raise PreparationError(msg)


def version_of(python: str) -> str | None:
    """The version an interpreter tells itself; shims may stand for none."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip()


def call(command: Sequence[str], *, cwd: Path) -> None:
    """Run a command of the preparation; its words are told only if it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        words = (done.stderr or done.stdout).strip()
        msg = f"{' '.join(command)}\nexit {done.returncode}: {words[-2000:]}"
        raise PreparationError(msg)


def supervise(command: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float, log: int) -> Process:
    """Run a command with all it starts, and end all of it when the time is over."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    hung = False
    try:
        process.wait(timeout)
    except subprocess.TimeoutExpired:
        hung = True
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return Process(round(time.perf_counter() - start, 3), process.returncode, hung)
