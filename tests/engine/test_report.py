"""The report: one page that refers to nothing, and shows hostile text literally."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from engine.report import render_report
from engine.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, bars, curves
from engine.report.wording import moment, number, percent
from engine.spec.run_folder import Vocabulary, WeightNorms
from engine.statistics import read_statistics
from tests.engine.cli.sample_views import SCANN, completed, history
from tests.engine.sample_statistics import HOSTILE, SCHEMA, statistics_file

HARMLESS = {
    *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "ul", "li"),
    *("table", "tr", "th", "td", "div", "section", "figure", "figcaption", "span"),
    *("svg", "g", "line", "polyline", "circle", "rect", "text"),
}


class Page(HTMLParser):
    """The elements, attributes and text of a page; every element must be closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text, self._open = set(), set(), [], []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}
        if tag != "meta":
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def page(seen=None, curves=None, statistics=None):
    measured = statistics or read_statistics({"train": statistics_file(HOSTILE)}, SCHEMA)
    return render_report(seen or completed(7), measured, curves)


def full_history():
    norms = WeightNorms(l1=(1.0, 2.0), l2=(3.0, 4.0))
    known = Vocabulary(size=1234, oov_share=0.25, coverage=0.5, missing_share=0.0001)
    return history(2).replace(
        epoch_metrics={HOSTILE: (0.5, 0.25)},
        weight_stats={"query": norms},
        vocabularies={HOSTILE: known},
    )


def test_it_refers_to_nothing_and_runs_nothing():
    html = page(curves=full_history())
    found = Page(html)
    assert found.tags <= HARMLESS
    assert not {"src", "href", "srcset", "onclick", "onload", "action"} & found.attributes
    assert not re.search(r"https?:|//|url\(|@import|data:|javascript:", html)


def test_hostile_names_stay_literal():
    seen = completed(7, name=HOSTILE, description=HOSTILE, verdicts=(HOSTILE,), dataset=HOSTILE)
    html = page(seen, full_history())
    assert "<script" not in html
    assert not {"\x1b", "\x07", "\u202e"} & set(html)
    assert "".join(Page(html).text).count("<script>alert(1)</script>␛]0;owned") >= 8


def test_it_shows_result_curves_vocabularies_statistics_and_schema():
    seen = completed(7)
    text = " ".join("".join(Page(page(seen, full_history())).text).split())
    assert f"#7 {seen.name}" in text
    assert all(verdict in text for verdict in seen.verdicts)
    assert f"{seen.interval.low:.4f} to {seen.interval.high:.4f} (95%)" in text
    assert f"Recall@100{seen.metrics.recall_at_100:.4f}" in text.replace(" ", "")
    for heading in ("Result", "Training", "Vocabularies", "Data of the train split", "Schema"):
        assert heading in text
    assert "1,234" in text
    assert "50.0%" in text
    assert "< 0.1%" in text
    assert "-1 to 3, mean 1.5, median 1, deviation 0.5, 25.0% zeros" in text
    assert "2 values: food, fuel" in text


def test_an_experiment_without_result_or_curves_has_a_page_too():
    html = page(statistics=read_statistics({}, None))
    assert {"Training", "Schema", "Vocabularies"}.isdisjoint(Page(html).text)


def test_a_curve_goes_from_corner_to_corner():
    chart = curves("Loss", [1, 3], {"train": (4.0, 2.0), "eval": (4.0, None), "total": (4.0, 2.0)})
    train, eval_ = chart.lines  # total is equal to train
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    assert train.pieces == (f"{left:.1f},{top:.1f} {right:.1f},{bottom:.1f}",)
    assert train.dots[1] == (right, bottom, "epoch 3: 2")
    assert (eval_.pieces, len(eval_.dots)) == ((), 1)
    assert [text for _, text in chart.y_ticks] == ["2", "3", "4"]
    assert [text for _, text in chart.x_ticks] == ["1", "3"]


@pytest.mark.parametrize("values", [(1.0,), (0.0,), (None,)])
def test_a_curve_of_one_point_is_drawn_inside(values):
    for line in curves("Loss", [1], {"train": values}).lines:
        ((x, y, _),) = line.dots
        assert LEFT <= x <= WIDTH - RIGHT
        assert TOP < y < HEIGHT - BOTTOM


def test_bars_are_shares_of_the_longest():
    assert [bar.share for bar in bars([(2, "a"), (8, "b"), (0, "c")])] == [0.25, 1, 0]
    assert [bar.share for bar in bars([(0, "a")])] == [0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (1234.0, "1,234"), (1234.5, "1,234"), (0.12345, "0.1235"), (3.2e-7, "3.2e-07"),
     (1e300, "1e+300"), (-2.0, "-2")],
)  # fmt: skip
def test_numbers_read_easily(value, shown):
    assert number(value) == shown


def test_shares_and_moments_read_easily():
    assert [percent(share) for share in (0, 0.0001, 0.5)] == ["0.0%", "< 0.1%", "50.0%"]
    at = datetime(2017, 7, 8, 15, 40, tzinfo=UTC).timestamp() * 1e6
    assert moment(at) == "2017-07-08 15:40"
    assert moment(-86_400e6) == "1969-12-31 00:00"
    assert moment(1e30) == "1e+30"


def test_the_exported_index_is_told():
    text = "".join(Page(page(completed(7, index=SCANN))).text)
    assert f"Exported index: {SCANN}." in text
    assert "Exported index" not in "".join(Page(page()).text)
