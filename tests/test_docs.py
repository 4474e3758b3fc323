"""The README is true: its blocks run, its picture is today's, its commands and codes exist."""

from __future__ import annotations

import doctest
import re

import pytest

import traceviz
from tests import readme
from traceviz.cli import cli
from traceviz.notes import catalogue

TEXT = readme.README.read_text()


@pytest.mark.parametrize("block", readme.blocks(TEXT), ids=lambda block: block.split("\n")[0])
def test_console_blocks_of_the_readme_give_the_output_that_stands_there(block: str) -> None:
    assert readme.fresh(block) == block


def test_the_picture_of_the_readme_is_what_is_drawn_today() -> None:
    assert readme.picture() == readme.PICTURE.read_text()


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
