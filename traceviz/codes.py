"""Every code that notes and failing hops carry, and what `traceviz explain` says of it."""

from __future__ import annotations

import pkgutil
from difflib import get_close_matches
from importlib import import_module

import traceviz
from traceviz.errors import UsageError
from traceviz.notes import Code, catalogue
from traceviz.sources.names import shown


def explanation(code: str) -> str:
    """The text about one code. Raises UsageError for a code that does not exist."""
    known = _everything()
    if code not in known:
        close = get_close_matches(code[:100].lower(), known, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else "`traceviz explain` lists all codes"
        raise UsageError(f"there is no code {shown(code)}", hint)
    return f"{code}\n\n{known[code].explanation}\n"


def overview() -> str:
    """All codes, each with its first line."""
    known = _everything()
    width = max(len(code) for code in known)
    return "\n".join(f"{code:<{width}}  {entry.explanation.splitlines()[0]}" for code, entry in known.items())


def _everything() -> dict[str, Code]:
    """The catalogue of all modules: each adds its own codes to it when it is loaded."""
    for module in pkgutil.walk_packages(traceviz.__path__, "traceviz."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    return catalogue()
