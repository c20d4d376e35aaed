"""Run the suite from a checkout, with nothing but `python3`: environment included.

`python3 tests/run.py [--all] [arguments of pytest]`; `--all` checks style and types first.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / ".ci"))

from environment import environment  # type: ignore[import-not-found]  # noqa: E402 - found above

CHECKS = (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",))


def main(arguments: list[str]) -> int:
    """Run what was asked for; return 0 if all of it is well."""
    name = f"tests-{sys.version_info[0]}.{sys.version_info[1]}"
    python = str(environment(name, "test", "lint", "types"))
    commands = [("pytest", "-n", "2", *(word for word in arguments if word != "--all"))]
    if "--all" in arguments:
        commands = [*CHECKS, *commands]
    failed = []
    for command in commands:
        print("$", *command, flush=True)
        if subprocess.run([python, "-P", "-m", *command], cwd=ROOT, check=False).returncode:
            failed.append(" ".join(command))
    for line in failed if len(commands) > 1 else ():
        print("failed:", line, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
