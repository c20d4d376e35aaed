"""How is one value found among options and ini keys, and how is a bad one refused?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from pytest_taskleak.judge.allow import suggestion
from pytest_taskleak.options import BY_NAME, Option


def places(config: pytest.Config, option: Option) -> list[tuple[list[str], str]]:
    """Return (texts, origin) of an option that adds up, the command line first."""
    flag = config.getoption(str(option.flag)) or []
    return [(list(flag), str(option.flag)), (list(ini(config, option)), f"ini {option.name}")]


def value_of(config: pytest.Config, option: Option) -> tuple[Any, str]:
    """Return (value, origin); the command line wins over the ini file."""
    value = config.getoption(str(option.flag))
    if value is not None:
        return value, str(option.flag)
    return ini(config, option), f"ini {option.name}"


def word_of(config: pytest.Config, name: str, allowed: Sequence[str]) -> Any:
    """Return the value of an option that takes one of a few words."""
    value, where = value_of(config, BY_NAME[name])
    return one_of(value, allowed, name.removeprefix("taskleak_"), where)


def ini(config: pytest.Config, option: Option) -> Any:
    """Return an ini value, or say where the one is that pytest itself cannot read."""
    try:
        return config.getini(option.name)
    except (TypeError, ValueError, pytest.UsageError) as error:
        name = option.name.removeprefix("taskleak_")
        raise pytest.UsageError(
            f"taskleak: {name!r} must be {option.values} - {error} (ini {option.name})"
        ) from None


def one_of(value: Any, allowed: Sequence[str], what: str, where: str) -> Any:
    """Return a value that must be one of a few words."""
    if value not in allowed:
        raise usage(what, ", ".join(allowed), value, where, suggestion(str(value), allowed))
    return value


def usage(
    what: str, allowed: str, got: Any, where: str, close: str = "", *, words: str = "must be one of"
) -> pytest.UsageError:
    """Return the error for a value that is not allowed."""
    return pytest.UsageError(f"taskleak: {what!r} {words} {allowed} - got {got!r}{close} ({where})")
