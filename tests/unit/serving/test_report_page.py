"""The report: what is on the page, what is never on it, and the same bytes twice."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from extraction.records import InputError
from serving.report import figures, findings, render, rows, write_report

NASTY = "<script>alert('x')</script>"


def trial_run() -> dict:
    """A run with a few stages, as `trialtwin run` leaves it."""
    coverage = {
        level: {
            "level": share,
            "coverage": share,
            "low": share - 0.1,
            "high": 1.0,
            "n": 100,
            "verdict": "not shown",
        }
        for level, share in (("50", 0.5), ("80", 0.8), ("95", 0.95))
    }
    peers = {
        "twin": {"mae": 3.0, "se": 0.2},
        "ridge": {"mae": 3.2, "se": 0.2, "twin_minus_peer": -0.2, "difference_se": 0.1},
    }
    r = {"r": 0.5, "low": 0.3, "high": 0.7}
    bands = {
        "q02_5": [1, 2],
        "q10": [2, 3],
        "q25": [3, 4],
        "q50": [4, 5],
        "q75": [5, 6],
        "q90": [6, 7],
        "q97_5": [7, 8],
    }
    return {
        "config": {
            "kind": "trial",
            "name": "test",
            "title": f"A trial {NASTY}",
            "seed": 7,
            "question": "Does it work?",
            "context_of_use": "Exploration.",
            "endpoint": {"variable": "ADAS", "visit": "Week 24", "better": "lower"},
            "models": {"engine": "twin"},
        },
        "manifest": {
            "versions": {"trialtwin": "0.1.0"},
            "stages": {"cohort": {"files": {"stages/cohort/result.json": "ab" * 32}}},
        },
        "cohort": {
            "summary": {
                "subjects": 40,
                "arms": {"Placebo": 20, "Active": 20},
                "observations": 100,
                "derived": 3,
            },
            "arms": ["Placebo", "Active"],
            "control_arm": "Placebo",
            "disposition": {"Placebo": {"completed": 20}, "Active": {"completed": 20}},
            "published": {
                "main": {
                    "title": "ADAS",
                    "label": "as published",
                    "checks": [
                        {
                            "figure": "n Placebo",
                            "published": 79.0,
                            "obtained": 79.0,
                            "agrees": True,
                        },
                        {"figure": "p", "published": 0.2326, "obtained": 0.2400, "agrees": False},
                    ],
                }
            },
            "sources": [{"name": "dm.xpt", "sha256": "cd" * 32, "action": NASTY}],
            "table_one": [
                {
                    "variable": "AGE",
                    "label": "Age",
                    "level": None,
                    "unit": "a",
                    "smd": 0.1,
                    "arms": {a: {"mean": 70.0, "sd": 8.0, "n": 20} for a in ("Placebo", "Active")},
                },
                {
                    "variable": "SEX",
                    "label": "Sex",
                    "level": "F",
                    "unit": None,
                    "smd": None,
                    "arms": {a: {"n": 10, "of": 20, "share": 0.5} for a in ("Placebo", "Active")},
                },
            ],
        },
        "twins": {
            "label": "ADAS-Cog",
            "variable": "ADAS",
            "visit": "Week 24",
            "from_visit": "Week 8",
            "n": 100,
            "without_truth": 12,
            "patients": {
                "all": 120,
                "judged": 100,
                "without_truth": 12,
                "not_seen": 8,
                "in_window": 104,
                "at_analysis_visit": 110,
                "stopped_before": {"adverse event": 6},
            },
            "correlations": {"twin": r, "carry_forward": r, "ridge": r},
            "verdict": "Good.",
            "coverage": coverage,
            "mae": peers,
            "correlation": r,
            "from_baseline": {
                "coverage": coverage,
                "mae": peers,
                "correlation": r,
                "correlations": {"twin": r, "ridge": {"r": None, "low": None, "high": None}},
            },
            "examples": [
                {
                    "label": "Patient A",
                    "arm": "Active",
                    "history": [[0.0, 20.0], [55.0, 21.0]],
                    "truth": [[167.0, 25.0]],
                    "quantiles": {"days": [111.0, 167.0], **bands},
                }
            ],
        },
    }


def write_run(folder, run):
    (folder / "stages").mkdir(parents=True)
    (folder / "config.resolved.yaml").write_text(yaml.safe_dump(run["config"]))
    (folder / "manifest.json").write_text(json.dumps(run["manifest"]))
    for stage in set(run) - {"config", "manifest"}:
        (folder / "stages" / stage).mkdir()
        (folder / "stages" / stage / "result.json").write_text(json.dumps(run[stage]))
    return folder


@pytest.fixture
def page(tmp_path):
    return write_report(write_run(tmp_path / "run", trial_run())).read_text("utf-8")


def test_the_page_stands_alone(page):
    # Nothing is loaded: the only addresses are XML namespaces, which nobody fetches.
    without_names = re.sub(r'xmlns(:\w+)?="[^"]*"', "", page)
    assert not re.search(r'(src|href)="(?!#)', without_names)
    assert "<script" not in page and "@import" not in page and "url(http" not in page


def test_what_a_user_wrote_is_text(page):
    assert NASTY not in page
    assert "&lt;script&gt;" in page


def test_figures_that_do_not_agree_are_told(page):
    assert page.count(">reproduced<") == 1
    assert page.count(">differs<") == 1
    assert "1 of 2" in page


def test_stages_that_did_not_run_have_no_section(page):
    assert 'id="twins"' in page and 'id="limits"' in page
    assert 'id="effects"' not in page and 'href="#effects"' not in page


def test_the_same_run_gives_the_same_bytes(tmp_path):
    pages = [
        write_report(write_run(tmp_path / name, trial_run())).read_bytes()
        for name in ("first", "second")
    ]
    assert pages[0] == pages[1]


def test_a_folder_that_is_no_run_is_named(tmp_path):
    with pytest.raises(InputError, match="no run folder"):
        write_report(tmp_path)


def test_a_kind_without_a_report_is_named():
    with pytest.raises(InputError, match="known are trial, historical_score"):
        render.render({"config": {"kind": "survey"}})


def test_a_note_is_marked_where_its_facts_stand():
    note = {
        "text": "No <b>fever</b>; cough.",
        "facts": [
            {"start": 17, "stop": 22, "type": "symptom", "assertion": "present", "name": "cough"},
            {"start": 6, "stop": 11, "type": "symptom", "assertion": "absent", "name": "fever"},
            {"start": 6, "stop": 9, "type": "condition", "assertion": "present", "name": "inner"},
        ],
    }
    marked = str(rows.marked_note(note))
    assert ">fever</mark>" in marked and 'class="symptom absent"' in marked
    assert "<b>" not in marked and "inner" not in marked
    assert re.sub(r"<[^>]*>", "", marked).replace("&lt;", "<").replace("&gt;", ">") == note["text"]


def test_numbers_as_people_write_them():
    assert render.number(-0.4668, 4) == "\u22120.4668"
    assert render.number(None) == "\u2013"
    assert render.number_like(79.0, 79.0) == "79"
    assert render.number_like(0.81804, 0.818) == "0.818"
    assert render.p_value(0.00001) == "<\u20090.001"
    assert render.with_error({"value": 0.936, "se": 0.0024}, 1, share=True) == "93.6\u2009% (0.2)"


def test_a_forest_holds_every_interval_and_no_effect():
    scale = rows.forest_scale([{"low": 1.0, "high": 3.0}])
    drawn = str(scale.draw({"low": 1.0, "high": 3.0, "estimate": 2.0}))
    places = [float(p) for p in re.findall(r'"([\d.]+)%"', drawn)]
    assert len(places) == 5 and all(0 <= p <= 100 for p in places)


def test_figures_are_text_with_system_fonts():
    drawn = figures.line_chart(
        [{"label": "a", "x": [0, 1], "y": [0.1, 0.9], "se": [0.01, 0.01]}], "effect", "power"
    )
    assert drawn.startswith("<svg") and "<text" in drawn and "base64" not in drawn


def _historical(verdict: str, reasons: list[str], z: float, endpoint: str) -> dict:
    """What the head and the limits of a historical-score report read."""
    return {
        "config": {"kind": "historical_score"},
        "cohorts": {
            "historical": {"endpoint": {"definition": "death"}},
            "target": {"endpoint": {"definition": endpoint}},
        },
        "score": {
            "acceptance": {
                "c": 0.55, "low": 0.5, "high": 0.6, "verdict": "not accepted",
                "score_z_in_strata": z, "z_without": -3.23, "z_with": -3.19,
                "with": {"se": 0.215}, "without": {"se": 0.215},
                "sharpening": {"verdict": "does not sharpen this analysis"},
            }
        },
        "borrowing": {"verdict": verdict, "reasons": reasons},
    }  # fmt: skip


def test_a_verdict_that_turns_out_otherwise_is_told_otherwise():
    kept = _historical("accepted", [], 0.8, "death")
    broken = _historical("refused", ["a", "b"], 7.0, "stroke")
    heads, ends = ([f(run) for run in (kept, broken)] for f in (findings.tiles, findings.limits))
    told = [" ".join(tile["text"] for tile in head) for head in heads]
    assert "not shown" in told[0] and "every limit is kept" in told[0]
    assert "2 limits of the configuration are not met" in told[1] and "not shown" not in told[1]
    assert not any("another endpoint" in limit for limit in ends[0])
    assert any("another endpoint" in limit for limit in ends[1])
    assert all("does not sharpen" in text for text in told)
    assert ends[0][-1].startswith("Agreeing") and ends[1][-1].startswith("Refusing")


def test_a_figure_that_differs_is_not_called_read_as_published():
    run = trial_run()
    checks = run["cohort"]["published"]["main"]["checks"]
    assert "the others differ" in findings.tiles(run)[0]["text"]
    for check in checks:
        check["agrees"] = True
    assert "as their authors read them" in findings.tiles(run)[0]["text"]
    checks.clear()
    assert not any("published" in tile["text"] for tile in findings.tiles(run))


@pytest.mark.parametrize(("ratio", "figure", "word"), [(0.96, "4", "saved"), (1.03, "3", "added")])
def test_a_score_that_costs_variance_is_said_to_add_it(ratio, figure, word):
    run = {
        "config": {"kind": "trial"},
        "effects": {"adjustment": {"se2_ratio": {"Active": {"mean": ratio}}}},
    }
    (tile,) = findings.tiles(run)
    assert tile["figure"].startswith(figure) and f"variance {word}" in tile["text"]
