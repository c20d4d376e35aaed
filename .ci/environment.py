"""How does a script get an environment of its own, from a checkout and a bare `python3`?

Each lives in `.venv/` of the checkout and is renewed only when what went into it has changed.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)


def requirements(*groups: str) -> list[str]:
    """Return the requirements of these dependency groups of pyproject.toml."""
    import tomllib  # not at the top: an older Python must reach the message below

    with (ROOT / "pyproject.toml").open("rb") as file:
        table = tomllib.load(file)["dependency-groups"]
    found: list[str] = []
    for group in groups:
        for entry in table[group]:
            found += [entry] if isinstance(entry, str) else requirements(entry["include-group"])
    return list(dict.fromkeys(found))


def environment(name: str, *groups: str) -> Path:
    """Make or renew `.venv/<name>` with the checkout installed; return its Python."""
    if sys.version_info < OLDEST:
        sys.exit(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version}")
    home = ROOT / ".venv" / name
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = requirements(*groups)
    base = _digest([ROOT / "pyproject.toml"], sys.version, home, *wanted)
    package = _digest(sorted((ROOT / "pytest_taskleak").rglob("*")), base)
    stamp = home / "stamp"
    had = stamp.read_text().split() if stamp.exists() else ["", ""]
    if had[0] != base or not python.exists():
        print(f"making {home.relative_to(ROOT)} ...", file=sys.stderr, flush=True)
        _run(sys.executable, "-m", "venv", "--clear", home)
        _run(python, "-m", "pip", "install", "-qq", ROOT, *wanted)
    elif had[1] != package:
        options = ["-qq", "--no-deps", "--force-reinstall"]
        _run(python, "-m", "pip", "install", *options, ROOT)
    stamp.write_text(base + "\n" + package + "\n")
    return python


def _digest(files: list[Path], *words: object) -> str:
    sums = hashlib.sha256(repr(words).encode())
    for file in files:
        if file.is_file() and file.suffix != ".pyc":
            sums.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes())
    return sums.hexdigest()


def _run(*command: object) -> None:
    quiet = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run([str(word) for word in command], env=quiet, check=False)
    if done.returncode:
        sys.exit("failed: " + " ".join(str(word) for word in command))
