"""How do the reference pages stay in step with the code?

They are written from the code's own tables, `options.OPTIONS`, `diagnostics.CODES` and the codes of
the detectors, each time the pages are built; nobody edits them by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sphinx.application import Sphinx  # pyright: ignore[reportMissingImports] -- only in the docs environment


class Option(Protocol):
    """One row of `OPTIONS`."""

    @property
    def name(self) -> str: ...  # the ini key
    @property
    def flag(self) -> str | None: ...  # on the command line, if there
    @property
    def values(self) -> object: ...  # the allowed values, or a word for them
    @property
    def default(self) -> object: ...
    @property
    def help(self) -> str: ...


class Code(Protocol):
    """One row of `CODES`."""

    @property
    def title(self) -> str: ...
    @property
    def meaning(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def cure(self) -> str: ...
    @property
    def level(self) -> str: ...


class Cause(Protocol):
    """One row of `CAUSES`."""

    @property
    def title(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def cure(self) -> str: ...
    @property
    def example(self) -> str: ...


def options_page(options: Sequence[Option]) -> str:
    """Return the options as Markdown: one heading each, found by its ini key."""
    parts = []
    for option in options:
        rows = [f"ini\n: `{option.name}`"] if option.name else []
        rows += [f"command line\n: `{option.flag}`"] if option.flag else []
        rows += [f"values\n: {_values(option.values)}"] if option.values else []
        rows.append(f"default\n: {_value(option.default)}")
        title = option.name or option.flag
        parts.append("\n\n".join([f"## `{title}`", _sentence(option.help), *rows]))
    return "\n\n".join(parts) + "\n"


def codes_page(codes: Mapping[str, Code]) -> str:
    """Return the message codes as Markdown: one heading each, found by its code."""
    parts = []
    for name, code in sorted(codes.items()):
        facts = ("Meaning", code.meaning), ("Typical cause", code.cause), ("Cure", code.cure)
        told = [f"**{label}.** {_sentence(text)}" for label, text in facts]
        told += [f"**By default.** {_sentence(code.level)}"] if code.level != "fail" else []
        told += [f'**Allow.** `@pytest.mark.taskleak(allow="{name}")`.'] if not name.startswith("TL9") else []
        parts.append("\n\n".join([f"({name})=", f"## {name}: {code.title}", *told]))
    return "\n\n".join(parts) + "\n"


def causes_page(causes: Mapping[str, Cause]) -> str:
    """Return the classes of cause as Markdown: one heading each, found by its slug."""
    parts = []
    for slug, cause in causes.items():
        told = [f"`{slug}`. Reads like `{cause.example}`."]
        told += [
            f"**Why.** {_sentence(cause.why[0].upper() + cause.why[1:])}",
            f"**Cure.** {_sentence(cause.cure)}",
        ]
        told = [text.format(name="x", race="`asyncio.wait()`") for text in told]
        parts.append("\n\n".join([f"(cause-{slug})=", f"## {cause.title}", *told]))
    return "\n\n".join(parts) + "\n"


def write(folder: Path) -> None:
    """Write the pages; leave a file alone that says the same already."""
    from pytest_taskleak.detectors import built_in, codes_of
    from pytest_taskleak.diagnostics import CODES
    from pytest_taskleak.explain.causes import CAUSES
    from pytest_taskleak.options import OPTIONS

    codes = {**codes_of(built_in()), **CODES}
    folder.mkdir(exist_ok=True)
    pages = {
        "options.md": options_page(OPTIONS),
        "codes.md": codes_page(codes),
        "causes.md": causes_page(CAUSES),
    }
    for name, text in pages.items():
        page = folder / name
        if not page.exists() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")


def _values(values: object) -> str:
    if isinstance(values, str):
        return values
    return ", ".join(map(_value, values)) if isinstance(values, tuple) else _value(values)


def _value(value: object) -> str:
    if value is None or value in ("", (), []):
        return "none"
    if isinstance(value, tuple | list):
        return ", ".join(map(_value, value))
    return f"`{value}`"


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "?", "`", ":")) else f"{text}."


def setup(app: Sphinx) -> dict[str, Any]:
    """Write the pages before Sphinx looks for its sources."""
    write(Path(app.srcdir) / "_generated")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
