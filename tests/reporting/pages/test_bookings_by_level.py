"""The forecast by level as a page shows it: lines that open, each with its own numbers; nothing where there is none."""

from __future__ import annotations

import re

import pandas as pd

from forecast import sources
from forecast.data.schema import Company
from forecast.reporting.pages.bookings import by_level as hierarchy
from forecast.reporting.pages.bookings.by_level import drill_down, kinds_below, nodes_of

COMPANY = Company(currency="EUR")


def rows(*nodes: tuple[str, str, str, float]) -> pd.DataFrame:
    """Return a table of (of, path, kind, mean) in one period."""
    frame = pd.DataFrame(nodes, columns=["of", "path", "kind", "mean"])
    frame["level"] = frame["path"].str.count(" > ") + (frame["path"] != "Total")
    frame["node"] = frame["path"].str.rpartition(" > ")[2]
    frame = frame.assign(target_period="FY26 Q4", q10=frame["mean"] * 0.8, q90=frame["mean"] * 1.2)
    return sources.of_file(frame, "hierarchy_forecast")


TABLE = rows(
    ("segment", "Total", "total", 9e6),
    ("segment", "South", "segment", 2e6),
    ("segment", "World", "group", 7e6),
    ("segment", "World > East", "segment", 3e6),
    ("segment", "World > North", "segment", 4e6),
    ("segment", "World > North > <b>Ada</b>", "owner", 4e6),
    ("product", "Total", "total", 9e6),
    ("product", "Things", "family", 9e6),
)


def test_lines_open_on_what_they_are_made_of_the_largest_first():
    shown = drill_down(TABLE, period="FY26 Q4", company=COMPANY)
    text = repr(shown).replace("\u202f", " ")
    lines = re.findall(r"^ *- ([^:]+):", text, re.MULTILINE)
    assert lines == ["World", "North", "<b>Ada</b>", "East", "South", "Things"]
    assert text.startswith("FY26 Q4 with 80 % ranges, step by step: groups of segments, segments and owners")
    assert "\n- World: €7 m, €5.6–8.4 m\n  - North: €4 m, " in text
    assert "\n    - <b>Ada</b>: €4 m" in text
    html = shown._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;Ada" in html
    assert html.count("<details") == html.count("</details>") == 2 + 2  # two trees, World and North
    assert "<details open" not in html
    assert "hierarchy_forecast:2:mean|money" in html
    assert hierarchy.READING.split(";")[0] in html
    assert (
        hierarchy.READING.split(";")[0]
        not in drill_down(TABLE, period="FY26 Q4", company=COMPANY, brief=True)._repr_html_()
    )


def test_the_leaders_page_names_no_owner():
    text = repr(drill_down(TABLE, period="FY26 Q4", company=COMPANY, brief=True))
    assert "Ada" not in text
    assert "owners" not in text
    assert "North" in text
    alone = rows(("owner", "Total", "total", 9e6), ("owner", "Bob", "owner", 9e6))
    assert drill_down(alone, period="FY26 Q4", company=COMPANY, brief=True)._repr_html_() == ""


def test_without_a_table_a_number_or_the_period_nothing_is_shown():
    for tables, period in (((), "FY26 Q4"), ((TABLE,), "FY27 Q1"), ((TABLE.assign(mean=float("nan")),), "FY26 Q4")):
        assert drill_down(*tables, period=period, company=COMPANY)._repr_html_() == ""


def test_of_a_large_company_the_lowest_levels_are_left_to_the_file():
    many = [("segment", f"North > Rep {number}", "owner", 1.0) for number in range(hierarchy.MOST)]
    table = rows(("segment", "Total", "total", 9.0), ("segment", "North", "segment", 9.0), *many)
    text = drill_down(table, period="FY26 Q4", company=COMPANY)
    assert "Rep 1" not in repr(text)
    assert hierarchy.LEFT in text._repr_html_()
    assert hierarchy.deepest(pd.Series([0, 1, 1, 2])) == 2
    assert hierarchy.deepest(pd.Series([1] * 900)) == 1


def names(kind: str, segment: str = "Total", **more: object) -> list[str]:
    html = nodes_of(TABLE, kind=kind, segment=segment, period="FY26 Q4", company=COMPANY, **more)._repr_html_()
    return re.findall(r"South|East|North|World|Things|Ada", html[html.index("<tbody") :])


def test_the_nodes_of_one_kind_are_those_on_the_way_to_a_segment():
    assert list(kinds_below(TABLE).values()) == ["segment", "group", "family", "owner"]
    assert names("segment") == ["North", "East", "South"]
    assert names("segment", "East") == ["East"]
    assert names("group", "East") == ["World"]
    assert names("owner", "North") == ["Ada"]
    assert names("segment", most=1) == ["North"]


def test_a_tree_that_is_not_cut_by_segment_is_shown_whole_and_says_so():
    html = nodes_of(TABLE, kind="family", segment="East", period="FY26 Q4", company=COMPANY)._repr_html_()
    assert "Families of the company, FY26 Q4" in html


def test_where_no_node_is_there_that_is_said_and_without_a_kind_nothing():
    assert "There are no owners of South" in repr(
        nodes_of(TABLE, kind="owner", segment="South", period="FY26 Q4", company=COMPANY)
    )
    assert nodes_of(TABLE, kind="", period="FY26 Q4", company=COMPANY)._repr_html_() == ""
    assert nodes_of(None, kind="team", period="FY26 Q4", company=COMPANY)._repr_html_() == ""
    assert kinds_below(None) == {}
