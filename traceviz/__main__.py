"""`python -m traceviz` is the command."""

from traceviz.cli import run

if __name__ == "__main__":
    run()
