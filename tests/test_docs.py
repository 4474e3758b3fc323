"""The README is true: its blocks run, its picture is today's, its commands and codes exist."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import traceviz
from tests import readme
from traceviz.cli import cli
from traceviz.notes import catalogue

PAGES = {path.name: path.read_text() for path in readme.PAGES}
TEXT = "\n".join(PAGES.values())
BLOCKS = [(page, block) for page, text in PAGES.items() for block in readme.blocks(text)]


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=lambda text: text.split("\n")[0])
def test_console_blocks_give_the_output_that_stands_there(page: str, block: str) -> None:
    assert readme.fresh(block, PAGES[page]) == block


def test_links_between_the_pages_lead_somewhere() -> None:
    for path in readme.PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_every_module_is_in_the_table_of_the_way_in() -> None:
    table = PAGES["README.md"].partition("## The way in")[2].partition("\n## ")[0]
    package = readme.ROOT / "traceviz"
    known = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if path.stem[0] != "_"}
    named = set(re.findall(r"`([a-z_/]+\.py)`", table)) | set(re.findall(r"`([a-z_]+/)`", table))
    named -= {"sources/", "asking/", "keeping/", "analyze/"}  # whose modules are named one by one
    missing = {
        path
        for path in known
        if path not in named and path.rpartition("/")[2] not in named and f"{path.partition('/')[0]}/" not in named
    }
    assert missing == set()
    gone = {name for name in named if name.endswith(".py") and not any(path.endswith(name) for path in known)}
    assert gone == set()


@pytest.mark.parametrize("path", readme.PICTURES, ids=lambda path: path.name)
def test_the_pictures_of_the_readme_are_what_is_drawn_today(path: Path) -> None:
    assert readme.picture(path) == path.read_text()


def test_every_command_and_option_named_in_the_readme_exists() -> None:
    known = {option for command in cli.commands.values() for param in command.params for option in param.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT)) - {"--strict", "--update-golden"}
    assert named <= known
    commands = set(re.findall(r"^\s*\$? ?traceviz ([a-z]+)", TEXT, re.MULTILINE))
    assert commands <= set(cli.commands)


def test_every_command_is_in_the_readme() -> None:
    missing = [name for name in cli.commands if not re.search(rf"traceviz {name}|`{name}`", TEXT)]
    assert missing == ["version", "completion"]


def test_codes_in_the_readme_are_known_to_explain() -> None:
    named = {name for name in re.findall(r"explain ([a-z-]+)", TEXT) if name in catalogue()}
    assert {"fault-injected", "shared-id-repair-undone"} <= named


def test_the_librarys_doctest_holds() -> None:
    assert doctest.testmod(traceviz) == doctest.TestResults(failed=0, attempted=8)
