"""Names that are cut: they fit, and no two of them look the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.documents_made import HOSTILE
from traceviz.render.telling_apart import Names
from traceviz.render.words import name, shorten

REGIONS = [f"payments-production-eu-west-{number}-primary-database-service" for number in range(2, 6)]


def test_names_that_would_be_cut_alike_show_where_they_differ() -> None:
    assert len({shorten(one, 24) for one in REGIONS}) == 1
    names = Names(REGIONS)
    assert [names.cut(one, 24) for one in REGIONS[:2]] == ["…est-2-primary-database…", "…est-3-primary-database…"]


def test_a_name_that_no_other_is_cut_like_keeps_both_its_ends() -> None:
    names = Names([*REGIONS, "orders-production-eu-west-1-primary-database-gateway"])
    assert names.cut("orders-production-eu-west-1-primary-database-gateway", 24) == "orders-produ…ase-gateway"
    assert names.cut(REGIONS[0], 100) == REGIONS[0]


def test_names_that_look_the_same_whole_are_not_told_apart_by_what_is_not_shown() -> None:
    names = Names(["a\x00b", "a\x01b"])
    assert names.cut("a\x00b", 10) == names.cut("a\x01b", 10) == "a\N{REPLACEMENT CHARACTER}b"


@given(
    st.lists(st.text(st.sampled_from("ab界\u0301"), min_size=1, max_size=40), min_size=1, max_size=12),
    st.integers(6, 30),
)
def test_cut_names_fit_and_differ(written: list[str], cells: int) -> None:
    names = Names(written)
    cut = {one: names.cut(one, cells) for one in written}
    assert all(cell_len(text) <= cells for text in cut.values())
    assert len(set(cut.values())) == len({name(one) for one in written})


@given(st.lists(st.sampled_from(HOSTILE), min_size=1), st.integers(1, 60))
def test_hostile_names_stay_clean(written: list[str], cells: int) -> None:
    names = Names(written)
    for one in written:
        assert "\n" not in names.cut(one, cells)
        assert "\x1b" not in names.cut(one, cells)
