"""How does a text read the same in each run and on each machine?"""

from __future__ import annotations

import os
import re

from pytest_taskleak.adapt.code import SITE, STDLIB

ADDRESS = re.compile(r"( at)? 0x[0-9a-fA-F]{4,}\b")
INSTALLED = re.compile(r"[^\s'\"(]*[/\\](?:" + "|".join(SITE) + r")[/\\]")


def plain(text: str) -> str:
    """Return a text in one line, without addresses, and with paths as a reader in this folder knows them."""
    line = INSTALLED.sub("", ADDRESS.sub("", " ".join(text.split())))
    for root in (os.getcwd(), *STDLIB):
        line = line.replace(root + os.sep, "")
    return line
