"""A report as text, as JSON and as an exit code. Needs no torch."""

from __future__ import annotations

import json
from pathlib import Path

from verify_support import read

from adaptergen.contract import Finding, ModelReport, Spot
from adaptergen.records import VerifyRecord
from adaptergen.verify.report import Report, SpecResult, table, verify_record


def report_of(*ones: ModelReport) -> Report:
    """A report on one spec."""
    result = SpecResult("toy", "specs/toy.yaml", "ToyForCausalLM", ones)
    return Report("tiny", (result,), (), 2**30)


def silent(layer: int, what: str = "the hook hook_q is silent") -> Finding:
    """A finding on one layer."""
    spot = Spot(layer, "attention", "hook_q", "specs/toy.yaml", 12)
    return Finding("hooks", what, "fires", "silent", "mend it", spot)


def test_nothing_found() -> None:
    report = report_of(ModelReport("default", layers=2, parity={"plain": 0.0}, seconds=1.25))
    assert report.exit_code == 0
    assert report.summary == "Fine: all as promised on 1 model (1.2 s, 1.0 GiB at most)."
    assert "0 from HF: plain" in table(report)


def test_what_layers_share_is_told_once_and_counted_once() -> None:
    ones = [ModelReport(name, findings=[silent(0), silent(3)]) for name in ("one", "other")]
    report = report_of(*ones)
    text = table(report)
    assert report.exit_code == 1
    assert text.count("specs/toy.yaml:12: hooks: the hook hook_q is silent") == 1
    assert "where: layers 0, 3; attention; hook_q; one, other" in text
    assert "expected fires; measured silent" in text
    assert text.splitlines()[-1].startswith("1 finding on 2 models")


def test_text_of_others_reaches_no_terminal_as_it_is() -> None:
    text = table(report_of(ModelReport("default", findings=[silent(0, "raises \x1b[2J")])))
    assert "\x1b" not in text
    assert "raises \\x1b[2J" in text


def test_generation_that_differs_is_loud() -> None:
    one = ModelReport("default", generation={"with_cache": True, "left_padded": False})
    text = table(report_of(one))
    assert "equal to HF: with_cache" in text
    assert "NOT equal to HF: left_padded" in text


def test_json_is_as_its_schema_says(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    one = ModelReport("default", parity={"plain": float("inf")}, findings=[silent(3)])
    one.of_kind("attention").declared.update({"hook_q", "hook_k"})
    verify_record(report_of(one)).write(str(file))
    found = read(file)
    assert found["parity"] == {"toy": {"default": {"plain": None}}}
    assert found["hooks"]["declared"] == {"toy": {"attention": ["hook_k", "hook_q"]}}
    (failure,) = found["failures"]
    assert (failure["layer"], failure["kind"], failure["hook"]) == (3, "attention", "hook_q")
    assert (failure["file"], failure["spec_line"]) == ("specs/toy.yaml", 12)


def test_json_of_a_failure_is_too(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    VerifyRecord(
        tier="full", outcome="failed", exit_code=2, summary="torch is not installed."
    ).write(str(file))
    assert read(file)["outcome"] == "failed"
    assert json.loads(file.read_text())["exit_code"] == 2
