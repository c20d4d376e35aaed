"""How does a call that is due later look like the function that is to be called?

Whoever reports a task tells it by the code of its coroutine.  All calls that wait would be the same one here;
so each function gets a form of its own, which has its name and stands on its first line.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
from collections.abc import Callable, Coroutine
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

FORM = """
async def later(wait, fired, function, args):
    await sleep(wait)
    fired.append(True)
    return await function(*args)
"""
MOST_FORMS = 256


def waiting(function: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return a coroutine function that sleeps for `wait` seconds, and then awaits a call of `function`.

    It takes the seconds, a list that gets an item when it fires, the function and its arguments.
    """
    plain = inspect.unwrap(getattr(function, "func", function))
    code = getattr(plain, "__code__", None)
    names = {"sleep": asyncio.sleep, "__name__": getattr(plain, "__module__", None) or __name__}
    return FunctionType(form(code if isinstance(code, CodeType) else waiting.__code__), names)


@lru_cache(maxsize=MOST_FORMS)
def form(code: CodeType) -> CodeType:
    """Return the code of the form that stands for a function."""
    tree = ast.parse(FORM)
    for node in ast.walk(tree):
        if hasattr(node, "lineno"):
            place = {"lineno": code.co_firstlineno, "end_lineno": code.co_firstlineno}
            vars(node).update(place, col_offset=0, end_col_offset=0)
    module = compile(tree, code.co_filename, "exec")
    (made,) = (each for each in module.co_consts if isinstance(each, CodeType))
    return made.replace(co_name=code.co_name, co_qualname=code.co_qualname)
