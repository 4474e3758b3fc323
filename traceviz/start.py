"""Where the installed command begins: before anything large is imported, so that Ctrl-C is quiet from the start."""

from __future__ import annotations

import sys

from traceviz.errors import INTERRUPTED


def run() -> None:
    """The entry point of the installed command."""
    try:
        from traceviz.cli import main, open_streams

        open_streams()
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
