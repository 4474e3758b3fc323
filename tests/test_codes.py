"""Codes of notes and reasons: every one that is noted is explained, every one that is explained is noted somewhere."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import string
from collections.abc import Iterator

import pytest

import traceviz
from tests.commands import called
from tests.conftest import ROOT, SHARED
from traceviz import codes
from traceviz.analyze.reasons import LOOK_AT
from traceviz.errors import UsageError
from traceviz.notes import Notes, Number, catalogue
from traceviz.slow.reasons import LOOK_AT as SLOW

for module in pkgutil.walk_packages(traceviz.__path__, "traceviz."):
    importlib.import_module(module.name)

CATALOGUE = catalogue()
TREES = [ast.parse(path.read_text()) for path in sorted((ROOT / "traceviz").rglob("*.py"))]
#: What a code is handed to where it is noted, or given as a reason.
GIVING = ("add", "Reason", "_said_by_proxy", "Found", "Evidence")


def nodes(kind: type[ast.AST]) -> Iterator[ast.AST]:
    return (node for tree in TREES for node in ast.walk(tree) if isinstance(node, kind))


def called_name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def constants() -> dict[str, str]:
    """`LIMIT_HIT` ▸ `limit-hit`, of every `LIMIT_HIT = define("limit-hit", …)`."""
    found = {}
    for node in nodes(ast.Assign):
        assert isinstance(node, ast.Assign)
        value, target = node.value, node.targets[0]
        if isinstance(value, ast.Call) and called_name(value) == "define" and isinstance(target, ast.Name):
            assert isinstance(value.args[0], ast.Constant)
            assert target.id not in found, f"two constants are called {target.id}"
            found[target.id] = str(value.args[0].value)
    return found


def given(call: ast.Call) -> set[str]:
    """The codes in the arguments of a call, by constant or by text."""
    names = constants_by_name
    named = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    parts = [part for argument in [*call.args[:3], *named] for part in ast.walk(argument)]
    by_name = {names[part.id] for part in parts if isinstance(part, ast.Name) and part.id in names}
    by_text = {part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)}
    return by_name | by_text


constants_by_name = constants()
CALLS = [node for node in nodes(ast.Call) if isinstance(node, ast.Call)]


def test_every_code_that_is_explained_is_noted_or_given_somewhere() -> None:
    noted = {code for call in CALLS if called_name(call) in GIVING for code in given(call)}
    noted |= set(SLOW)  # tests/test_slow.py sees each of them given
    assert set(CATALOGUE) - noted == set()


def test_every_code_that_is_noted_is_explained() -> None:
    seen = set()
    for call in CALLS:
        if called_name(call) == "add" and "notes" in ast.unparse(call.func).lower():
            first = call.args[0]
            codes_here = given(ast.Call(call.func, [first], []))
            assert codes_here, f"a note under no code: {ast.unparse(call)}"
            assert codes_here <= set(CATALOGUE), ast.unparse(call)
            seen |= codes_here
    assert len(seen) > 25


def test_a_code_that_is_not_defined_cannot_be_noted() -> None:
    with pytest.raises(KeyError, match="no-such-code"):
        Notes().add("no-such-code")


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_code_has_a_sentence_and_an_explanation(code: str) -> None:
    entry = CATALOGUE[code]
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", code)
    assert {field for _, field, _, _ in string.Formatter().parse(entry.text) if field is not None} <= {"count"}
    said = entry.text.format(count=Number(4321))
    assert len(said.split()) >= 3
    assert not said.endswith(".")
    sentences = re.findall(r"[.!?](?=\s|$)", entry.explanation)
    assert len(sentences) >= 2, f"{code}: {entry.explanation}"
    assert max(map(len, entry.explanation.splitlines())) <= 120
    assert not entry.explanation.startswith(" ")


@pytest.mark.parametrize("code", CATALOGUE)
def test_explain_prints_the_whole_explanation(code: str) -> None:
    run = called("explain", code)
    assert run.code == 0
    assert run.text == f"{code}\n\n{CATALOGUE[code].explanation.rstrip()}\n"


def test_the_overview_has_a_line_for_every_code() -> None:
    lines = called("explain").text.splitlines()
    assert [line.split()[0] for line in lines] == sorted(CATALOGUE)
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize("slip", ["limit-hti", "limithit", "fault_injected", "timeouts", "LIMIT-HIT"])
def test_a_slip_of_the_finger_gets_a_suggestion(slip: str) -> None:
    with pytest.raises(UsageError, match=re.escape(repr(slip))) as caught:
        codes.explanation(slip)
    assert re.search("limit-hit|fault-injected|timeout", caught.value.remedy)


@pytest.mark.parametrize("slip", ["", "zzzzzzzz", "\x1b[31m", "x" * 100_000])
def test_what_is_like_no_code_gets_the_way_to_the_list(slip: str) -> None:
    with pytest.raises(UsageError) as caught:
        codes.explanation(slip)
    assert "traceviz explain" in caught.value.remedy
    assert len(str(caught.value)) < 200
    assert "\x1b" not in str(caught.value)


def reasons_of_the_contract() -> list[str]:
    """The first column of CONTRACT's table of reasons, without what needs a baseline."""
    table = (SHARED / "CONTRACT.md").read_text().partition("| reason | sign |")[2].partition("\n\n")[0]
    return [reason for reason in re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE) if reason != "stopped-calling"]


def test_every_reason_of_the_contract_is_explained_and_given() -> None:
    reasons = reasons_of_the_contract()
    assert len(reasons) == 15
    assert set(reasons) == set(LOOK_AT)
    assert set(reasons) <= set(CATALOGUE)
    given_reasons = {
        code for call in CALLS if called_name(call) in ("Reason", "_said_by_proxy") for code in given(call)
    }
    assert set(reasons) <= given_reasons


@pytest.mark.parametrize("code", [*LOOK_AT, *SLOW])
def test_a_reason_says_what_to_do_without_names_to_be_filled_in(code: str) -> None:
    ended = called("explain", code)
    assert "\nWhat to do: look at " in ended.text
    assert "{" not in ended.text.rpartition("What to do")[2]


def test_a_note_of_one_case_speaks_in_the_singular() -> None:
    notes = Notes()
    notes.add("clock-skew")
    assert notes.documents()[0]["text"].startswith("1 call lies outside")
    notes.add("clock-skew", 2)
    assert notes.documents()[0]["text"].startswith("3 calls lie outside")
