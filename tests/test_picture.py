"""What is decided for every drawing: words, colours, marks, links, what was left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.documents_made import (
    HOSTILE,
    TRACES,
    article,
    chain,
    cycle,
    edge,
    empty,
    errors,
    fan,
    graph,
    hop,
    hostile,
    kinds,
    large,
    note,
    one_node,
    two_faults,
)
from tests.drawing import contrast
from traceviz.errors import UsageError
from traceviz.render.palette import PALETTES, health
from traceviz.render.picture import Picture, PictureEdge, PictureNode, picture
from traceviz.render.words import clean, millis, name, share, shorten, tally, web_address, window


def node_of(drawn: Picture, full_name: str) -> PictureNode:
    return next(node for node in drawn.nodes if node.full_name == full_name)


def edge_of(drawn: Picture, caller: str, callee: str) -> PictureEdge:
    tail, head = node_of(drawn, caller).id, node_of(drawn, callee).id
    return next(edge for edge in drawn.edges if (edge.tail, edge.head) == (tail, head))


def test_every_edge_says_calls_error_share_and_percentiles() -> None:
    drawn = picture(*article())
    assert edge_of(drawn, "istio-ingress", "service-python").lines == ("66 calls · 53 % err", "p50 2.1 ms · p95 5.0 ms")
    assert all(len(edge.lines) == 2 for edge in drawn.edges)


def test_times_of_the_callee_stand_in_where_the_caller_was_not_seen() -> None:
    only_server = edge("a", "b", p50=10, client_ms=None, seen_from="callee")
    assert picture(graph([only_server])).edges[0].lines[1] == "p50 8.0 ms · p95 19 ms"


def test_an_edge_without_any_time_says_calls_only() -> None:
    timeless = edge("a", "b", client_ms=None, server_ms=None, gap_ms=None)
    assert picture(graph([timeless])).edges[0].lines == ("100 calls · 0 % err",)


def test_the_failing_hop_carries_rank_reason_and_signs() -> None:
    drawn = picture(*article())
    (mark,) = edge_of(drawn, "istio-ingress", "service-python").marks
    assert (mark.first, mark.title, mark.detail) == (True, "× 1  fault-injected", "FI 504")
    (runner_up,) = edge_of(drawn, "service-js", "service-python").marks
    assert (runner_up.first, runner_up.title) == (False, "× 2  fault-injected (absorbed)")
    assert [mark.rank for mark in node_of(drawn, "service-python").marks] == [1, 2]
    assert not edge_of(drawn, "istio-ingress", "service-js").marks


def test_a_row_with_several_callers_marks_each_of_their_edges() -> None:
    made = graph([edge("a", "x", 10, 5), edge("b", "x", 10, 2), edge("c", "x", 10, 0)])
    row = hop(1, "a", "x", callers={"a": 5, "b": 2}, where="callee", reason="application-error")
    drawn = picture(made, errors([row]))
    assert [bool(edge.marks) for edge in drawn.edges] == [True, True, False]
    assert node_of(drawn, "x").marks[0].title == "look here first"


def test_only_where_a_rule_of_the_mesh_failed_calls_are_its_rules_to_look_at() -> None:
    assert node_of(picture(*article()), "service-python").marks[0].title == "look at its mesh rules first"
    assert node_of(picture(*kinds()), "inventory").marks[0].title == "look here first"


def test_a_row_without_a_caller_marks_the_node() -> None:
    row = hop(1, None, "lonely", where="callee", reason="application-error", blame=None, callers={})
    assert node_of(picture(one_node(), errors([row])), "lonely").marks


def test_a_failing_hop_outside_the_picture_is_said() -> None:
    drawn = picture(chain(2), errors([hop(4, "gone", "away")]))
    assert "failing hop 4 (gone → away) is not in this picture" in drawn.left_out


def test_without_a_ranking_the_graph_itself_says_where_errors_start() -> None:
    drawn = picture(article()[0])
    (mark,) = edge_of(drawn, "service-js", "service-python").marks
    assert (mark.rank, mark.title, mark.detail) == (None, "×  errors start here", "FI 504")
    assert drawn.verdict == ()


def test_health_is_never_said_by_colour_alone() -> None:
    for documents in (two_faults(), article(), kinds()):
        for drawn in picture(*documents).edges:
            assert ("· 0 % err" in drawn.lines[0]) == (drawn.health == "healthy")
            assert drawn.lines[0].endswith("% err")


def test_unseen_callees_are_dashed_and_asynchronous_calls_dotted() -> None:
    drawn = picture(*kinds())
    styles = {node_of(drawn, edge.head and _name(drawn, edge.head)).full_name: edge.style for edge in drawn.edges}
    assert styles == {
        "orders": "solid",
        "postgres": "dashed",
        "kafka: order-events": "dotted",
        "mailer": "dotted",
        "api.payments.example": "dashed",
        "legacy-tax": "dashed",
        "inventory": "dashed",
    }
    assert {node.full_name for node in drawn.nodes if node.unseen} == {
        "postgres",
        "api.payments.example",
        "legacy-tax",
        "inventory",
    }


def _name(drawn: Picture, identifier: str) -> str:
    return next(node.full_name for node in drawn.nodes if node.id == identifier)


def test_a_callee_that_reports_but_got_only_part_of_the_calls_is_solid() -> None:
    assert edge_of(picture(*article()), "istio-ingress", "service-python").style == "solid"


def test_width_grows_with_calls_and_is_bounded() -> None:
    widths = [edge.width for edge in picture(fan(12)).edges]
    assert widths == sorted(widths)
    assert min(widths) >= 1
    assert max(widths) <= 6


def test_the_legend_explains_only_what_occurs() -> None:
    texts = [entry.text for entry in picture(chain(3)).legend]
    assert texts == [
        "calls without an error",
        "width of a line: calls (150)",
        "p50, p95: time of a call as its caller saw it",
    ]
    everything = " ".join(entry.text for entry in picture(*kinds()).legend)
    for word in ("cylinder", "tabs", "double border", "arrow-shaped", "dashed border", "asynchronous", "rank"):
        assert word in everything


def test_the_title_says_target_window_and_counts() -> None:
    drawn = picture(*article())
    assert drawn.title == "Who calls whom: istio-ingress"
    assert drawn.subtitle == (
        "http://localhost:16686 · 2026-11-23 05:29:01 – 05:34:12 UTC",
        "200 traces · 1,000 spans · 35 failed traces (18 %)",
    )
    assert drawn.verdict[0].startswith("× 1 istio-ingress → service-python: 53 % of 66 calls")


def test_user_and_password_of_a_source_are_not_shown() -> None:
    made = chain(2)
    made["source"] = ["https://bob:secret@jaeger.example/base"]
    assert picture(made).subtitle[0].startswith("https://jaeger.example/base")


def test_notes_are_under_the_picture_and_what_is_too_much_is_counted() -> None:
    drawn = picture(article()[0])
    assert drawn.left_out[1].startswith("limit-hit (1): The server's limit of 200")
    many = graph([edge("a", "b")], notes=[note(f"code-{index}", index, "text") for index in range(1, 20)])
    assert picture(many).left_out[-1] == "… and 14 more notes: traceviz graph -o json has them all"


def test_cycles_are_said() -> None:
    assert picture(cycle()).left_out[0] == "2 cycles of calls: alpha → beta → gamma → alpha …"


def test_an_empty_graph_says_why() -> None:
    assert " ".join(picture(empty()).message).startswith("No trace of istio-ingress was found between 2026-11-23")
    assert picture(empty(traces=3)).message == (
        "3 traces with 15 spans of istio-ingress were read, and no",
        "call between two services is in them.",
    )
    assert picture(one_node()).message == ()


def test_links_lead_to_an_example_trace_of_jaegers_page() -> None:
    drawn = picture(*article(), ui_url="http://bob:secret@localhost:16686/jaeger/")
    assert edge_of(drawn, "istio-ingress", "service-python").link == f"http://localhost:16686/jaeger/trace/{TRACES[0]}"
    assert edge_of(drawn, "istio-ingress", "service-go").link == f"http://localhost:16686/jaeger/trace/{TRACES[2]}"
    assert node_of(drawn, "istio-ingress").link is not None
    assert all(edge.link is None for edge in picture(*article()).edges)


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "file:///etc/passwd", "localhost:16686", "http://", "http://[::1"]
)
def test_only_web_addresses_become_links(url: str) -> None:
    with pytest.raises(UsageError):
        picture(chain(2), ui_url=url)


def test_an_unknown_label_or_theme_is_a_usage_error_that_names_the_choices() -> None:
    with pytest.raises(UsageError) as raised:
        picture(chain(2), label=["nonsense"])
    assert "p95_ms" in raised.value.remedy
    with pytest.raises(UsageError):
        picture(chain(2), theme="pink")


def test_labels_choose_what_stands_on_edges() -> None:
    drawn = picture(*article(), label=["errors", "statuses", "flags", "gap_ms"])
    assert edge_of(drawn, "istio-ingress", "service-python").lines == (
        "35 errors",
        "gap p50 0.4 ms",
        "504 ×35, 200 ×31",
        "FI",
    )


def test_hostile_names_are_cut_and_made_harmless() -> None:
    drawn = picture(*hostile())
    for node in drawn.nodes:
        assert len(node.name) <= 32
        assert len(node.tooltip) < 2500
        assert not any(character in node.tooltip for character in "\x1b\u202e\r\t\ud800")
        assert "\n" not in node.name
    assert node_of(drawn, "(no name)").lines
    assert len(drawn.nodes) == len(HOSTILE) + 1


def test_large_graphs_keep_words_where_errors_are_and_say_so() -> None:
    drawn = picture(large(120))
    assert all(edge.lines for edge in drawn.edges if edge.health != "healthy")
    silent = sum(not edge.lines for edge in drawn.edges)
    assert drawn.left_out[0].startswith(f"{silent:,} edges without errors drawn without numbers")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_colour_of_a_text_is_readable_on_what_it_stands_on(theme: str) -> None:
    colours = PALETTES[theme]  # type: ignore[index]
    grounds = [colours.background, colours.node, colours.unseen, colours.card, colours.blamed]
    for text in (colours.ink, colours.faint, *colours.text.values()):
        assert all(contrast(text, ground) >= 4.5 for ground in grounds), text
    assert contrast(colours.mark_ink, colours.mark) >= 4.5
    assert contrast(colours.runner_up_ink, colours.runner_up) >= 4.5
    assert all(contrast(line, colours.background) >= 3 for line in colours.line.values())


def test_health_has_three_steps() -> None:
    assert [health(value) for value in (None, 0.0, 0.01, 0.05, 1.0)] == [
        "healthy",
        "healthy",
        "some",
        "failing",
        "failing",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 ms"),
        (0.04, "0.04 ms"),
        (0.4, "0.4 ms"),
        (1.23, "1.2 ms"),
        (9.97, "10 ms"),
        (12.4, "12 ms"),
        (999.7, "1 s"),
        (1250, "1.25 s"),
        (99_960, "100 s"),
        (125_000, "125 s"),
        (-0.31, "-0.3 ms"),
        (0.0001, "<0.001 ms"),
    ],
)
def test_times_read_as_people_say_them(value: float, text: str) -> None:
    assert millis(value) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.53, "53 %"),
        (0.004, "0.4 %"),
        (0.0001, "<0.1 %"),
        (0.996, "99.6 %"),
        (0.9999, ">99.9 %"),
    ],
)
def test_shares_say_zero_and_hundred_only_where_they_mean_it(fraction: float, text: str) -> None:
    assert share(fraction) == text


def test_small_words() -> None:
    assert tally({"200": 31, "504": 1035, "0": 1, "500": 1}) == "504 ×1,035, 200 ×31, 0 ×1, 1 more"
    assert window("2026-11-23T23:59:00Z", "2026-11-24T00:10:00Z") == "2026-11-23 23:59:00 – 2026-11-24 00:10:00 UTC"
    assert window(None, "nonsense") == "time not known"
    assert web_address("https://[::1]:8443/x/?q#f") == "https://[::1]:8443/x"


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_cleaning_twice_changes_nothing_and_leaves_valid_text(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert once.encode().decode() == once
    assert name(name(text)) == name(text)
    assert name(text)


@given(st.text(), st.integers(1, 60))
def test_a_shortened_text_fits_and_keeps_both_ends(text: str, cells: int) -> None:
    short = shorten(text, cells)
    assert len(short) <= cells
    if short != text:
        head, _, tail = short.partition("…")
        assert text.startswith(head)
        assert text.endswith(tail) or "…" in tail
