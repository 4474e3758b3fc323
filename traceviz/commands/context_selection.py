"""What a context says of which traces are wanted, left out where the user's own words say it already."""

from __future__ import annotations

from typing import Any

import click
from click.core import ParameterSource

#: Options of a context that select traces.
_SELECTING = ("service", "since", "limit")


def leave_out_context_selection(options: dict[str, Any]) -> None:
    """Set to None which of the running command's `options` select traces and come from a context alone."""
    ctx = click.get_current_context()
    for option in _SELECTING:
        if ctx.get_parameter_source(option) is ParameterSource.DEFAULT_MAP:
            options[option] = None
