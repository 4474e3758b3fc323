"""`python -m traceviz` is the command, and `run` what the installed one calls: all else is loaded by it."""

from __future__ import annotations

from traceviz.loading import loading


def run() -> None:
    """The entry point: run the command line and end with its exit code."""
    with loading():
        from traceviz import cli
    cli.run()


if __name__ == "__main__":
    run()
