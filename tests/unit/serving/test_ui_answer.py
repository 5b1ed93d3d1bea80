"""What the page shows: aggregates that hide small cells, words that refuse, conditions read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from markupsafe import Markup

from extraction.records import Cohort, Variable
from serving.api.desk import Desk
from serving.service.control_requests import round_step
from serving.ui import words
from serving.ui.answer import answer, behind
from serving.ui.comparison import compare, safe_days, safe_edges
from serving.ui.form import Field, Span, build, read, span_of
from serving.ui.page import build as build_page
from tests.support.records_support import small_cohort
from tests.support.server_support import NAME, config_of, make_run


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("answer")
    return Desk.open(config_of(make_run(folder / "runs"), folder / "var"))


T = TypeVar("T")


def in_a_loop(lay_out: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run with an event loop: where none runs, Gradio opens one and never closes it.

    In a thread, because a browser of another test may hold this one's loop.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(lay_out())).result()


@pytest.mark.parametrize("seed", range(8))
def test_every_bin_holds_five_real_patients(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.lognormal(3, 1, rng.integers(10, 200)).round(1)
    edges = safe_edges(values)
    counts = np.histogram(values, edges)[0]
    assert counts.sum() == len(values)
    assert counts.min() >= 5
    assert np.all(np.diff(edges) > 0)


def test_one_value_alone_makes_one_bin() -> None:
    counts, _ = np.histogram(np.full(12, 7.0), safe_edges(np.full(12, 7.0)))
    assert counts.sum() == 12


@pytest.mark.parametrize(("wanted", "step"), [(0.7, 1), (1, 1), (1.2, 2), (3, 5), (60, 100)])
def test_steps_are_round(wanted: float, step: float) -> None:
    assert round_step(wanted) == pytest.approx(step)


def test_survival_is_read_where_five_events_lie_between() -> None:
    events, at_risk = np.ones(20), np.arange(24.0, 4.0, -1)
    places = safe_days(events, at_risk)
    assert places.tolist() == [4, 9, 14]  # at place 19 four are left
    assert safe_days(np.ones(4), np.full(4, 50.0)).tolist() == []


def test_a_cohort_beside_itself_shows_no_difference() -> None:
    cohort = small_cohort(200, 2)
    seen = compare(cohort, cohort)
    assert {h.title for h in seen.histograms} == {"AGE"}
    assert {s.title for s in seen.shares} == {"SEX", "GRADE"}
    assert {c.title for c in seen.courses} == {"ALT"}
    assert {s.title for s in seen.survival} == {"death"}
    assert [r.difference for r in seen.rows if r.difference is not None] == pytest.approx(
        [0.0] * len([r for r in seen.rows if r.difference is not None])
    )
    for h in seen.histograms:
        assert float(np.sum(h.real * np.diff(h.edges))) == pytest.approx(1)


def few_events(cohort: Cohort) -> Cohort:
    events = cohort.events.copy()
    hidden = events.index[events["observed"]][4:]
    events.loc[hidden, "observed"] = False
    events.loc[hidden, "cause"] = None
    frames = {"observations": cohort.observations, "sources": cohort.sources}
    return Cohort.build(cohort.schema, cohort.subjects, events=events, **frames)


def test_a_curve_of_fewer_than_five_events_is_withheld() -> None:
    cohort = small_cohort(60, 3)
    seen = compare(few_events(cohort), cohort)
    assert (seen.survival, seen.withheld) == ((), ("death",))


def test_small_cells_of_table_1_are_hidden() -> None:
    cohort = small_cohort(60, 3)
    subjects = cohort.subjects.copy()
    subjects["SEX"] = ["F"] * 57 + ["M"] * 3
    real = Cohort.build(cohort.schema, subjects)
    sexes = [r for r in compare(real, real).rows if r.title == "SEX"]
    assert [r.real for r in sexes] == ["hidden (small)"] * 2
    (shares,) = [s for s in compare(real, real).shares if s.title == "SEX"]
    assert shares.real == (None, None)


AGE = Variable(name="AGE", kind="continuous")
SEX = Variable(name="SEX", kind="binary", categories=("F", "M"))


@pytest.mark.parametrize(
    ("values", "given"),
    [
        ([60, 87, []], {}),
        ([70, 87, []], {"AGE": [70.0, None]}),
        ([60, 80, ["F"]], {"AGE": [None, 80.0], "SEX": ["F"]}),
        ([None, None, None], {}),
    ],
)
def test_sliders_at_their_ends_set_no_limit(values: list[object], given: object) -> None:
    fields = (Field(AGE, (0, 1), Span(60, 87, 1)), Field(SEX, (0,)))
    assert read(fields, values) == given


def test_a_slider_does_not_give_away_the_extremes() -> None:
    cohort = small_cohort(200, 4)
    span = span_of(cohort, cohort.schema.variable("AGE"))
    ages = cohort.subjects["AGE"].dropna()
    assert span is not None
    assert ages.min() < span.low < span.high < ages.max()


def test_the_form_asks_for_every_baseline_variable() -> None:
    import gradio as gr

    async def lay_out() -> tuple[Field, ...]:
        with gr.Blocks(analytics_enabled=False):
            return build(small_cohort(200, 4))

    fields = in_a_loop(lay_out)
    assert [field.variable.name for field in fields] == ["AGE", "SEX", "GRADE"]
    assert [len(field.components) for field in fields] == [2, 1, 1]


def test_an_answer_has_figures_table_and_files(desk: Desk) -> None:
    found = answer(desk, {"model": NAME, "n": 60, "seed": 1, "given": {"AGE": [70, None]}})
    assert found.csv is not None
    assert found.parquet is not None
    assert len(found.csv.decode().splitlines()) == 61
    assert found.details.count("<img") >= 4
    assert "Table 1" in found.details
    assert "not data" in found.headline


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"given": {"AGE": [95, 99]}}, "for a reason"),
        ({"use": "augment_control_arm"}, "inference audit"),
        ({"n": 5001}, "POST /v1/jobs"),
        ({"n": 0}, "change the request"),
        ({"n": None}, "change the request"),
        ({"given": {"AGEE": [1, 2]}}, "did you mean AGE"),
        ({"model": "none"}, "offered are: demo"),
    ],
)
def test_what_cannot_be_given_is_said_in_words(
    desk: Desk, asked: dict[str, object], said: str
) -> None:
    found = answer(desk, {"model": NAME, "n": 50, "seed": 1, **asked})
    assert said in found.headline
    assert 'role="alert"' in found.headline
    assert (found.csv, found.details) == (None, "")


def test_an_error_of_ours_is_told_without_its_text(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("patient Jane Roe")

    monkeypatch.setattr("serving.ui.answer.controls", fail)
    found = answer(desk, {"model": NAME, "n": 5})
    said = capsys.readouterr()
    assert "on our side" in found.headline
    assert "Jane" not in found.headline + said.out + said.err


def test_the_count_behind_a_condition_hides_small_numbers(desk: Desk) -> None:
    assert "<b>150</b> of 150" in behind(desk, NAME, {})
    ages = desk.registry.training(NAME).subjects["AGE"].dropna().sort_values()
    few = behind(desk, NAME, {"AGE": [float(ages.iloc[-3]), None]})
    assert "<b>Fewer than 5</b>" in few
    assert "tt-few" in few


def test_words_from_outside_are_escaped() -> None:
    said = words.refused(["model: <script>alert(1)</script>"])
    assert isinstance(said, Markup)
    assert "<script>" not in said


def test_a_page_without_models_says_how_to_get_one(tmp_path: Path) -> None:
    async def lay_out() -> list[str]:
        page = build_page(Desk.open(config_of(tmp_path / "none", tmp_path / "var")))
        return [str(c["props"].get("value", "")) for c in page.get_config_file()["components"]]

    texts = in_a_loop(lay_out)
    assert any("configs/quickstart.yaml" in text for text in texts)
