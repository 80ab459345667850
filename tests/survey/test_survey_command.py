"""`adaptergen survey`: its arguments, what it keeps, joins and compares, and what can go wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from adaptergen import resources
from adaptergen.cli import main
from adaptergen.coverage import Measured, SurveyedClass, SurveyRecord, SurveyTable
from adaptergen.survey import command

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command; nothing is committed that it could be compared with."""
    monkeypatch.setattr(command, "COMMITTED", Path("docs", "none.json"))

    def call(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["survey", *map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def good(**more: Any) -> Measured:
    return Measured(
        parity={"plain": 0.0}, layers=2, streams=2, parts=4, parts_live=4, attention=2,
        editable={"pattern": 2}, hooks={"live": 9}, findings=(), stands=True, green=True,
    ).model_copy(update=more)  # fmt: skip


def table(release: str = "5.23.0", **drafts: Measured) -> SurveyTable:
    classes = tuple(SurveyedClass(name=name, draft=draft) for name, draft in drafts.items())
    return SurveyTable(
        task="causal-lm", transformers=release, transformer_lens="4.3.0", torch="2.13.0",
        classes=classes,
    )  # fmt: skip


def write(path: Path, *tables: SurveyTable) -> Path:
    SurveyRecord(outcome="fine", exit_code=0, summary="", tables=tables).write(str(path))
    return path


def valid(path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(path.read_text("utf-8"))
    description = json.loads(resources.schema("survey").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(description).validate(record)
    return record


def test_shards_are_joined(run: Run, tmp_path: Path) -> None:
    one = write(tmp_path / "1.json", table(B=good(), D=good(green=False)))
    two = write(tmp_path / "2.json", table(A=good()), table("5.24.0", A=good()))
    made, page = tmp_path / "all.json", tmp_path / "page.md"
    code, out, _ = run("--merge", one, two, "--json", made, "--report", page)
    assert code == 0 and "3 of 3 classes stand, 2 green" in out
    record = valid(made)
    found = {t["transformers"]: [c["name"] for c in t["classes"]] for t in record["tables"]}
    assert found == {"5.23.0": ["A", "B", "D"], "5.24.0": ["A"]}
    # A class a line, so that a diff shows the classes that changed.
    assert [line for line in made.read_text().splitlines() if line.startswith('    {"name": "B"')]
    assert "| B | green | 0 |" in page.read_text() and "## causal-lm, transformers 5.24.0" in (
        page.read_text()
    )
    # Both are replaced by the next, and nothing else is.
    assert run("--merge", one, "--json", made, "--report", page)[0] == 0
    assert len(valid(made)["tables"]) == 1
    page.write_text("of a person\n")
    code, _, err = run("--merge", one, "--report", page)
    assert code == 2 and "did not write" in err and page.read_text() == "of a person\n"


def test_the_page_groups_by_reason(run: Run, tmp_path: Path) -> None:
    falls = good(
        stands=False, green=False, why_not=("silent hooks: blocks.*.hook_x", "not verified")
    )
    other = falls.model_copy(update={"why_not": ("silent hooks: a.hook_y",)})
    lacks = good(green=False, why_not=("unbound: `a|b`_c",))
    page = tmp_path / "page.md"
    assert (
        run(
            "--merge",
            write(tmp_path / "1.json", table(A=falls, B=other, C=lacks)),
            "--report",
            page,
        )[0]
        == 0
    )
    text = page.read_text()
    assert "- 2: silent hooks (A, B)" in text and "- 1: unbound (C)" in text
    assert "silent hooks: blocks.\\*.hook\\_x; not verified" in text and "`a\\|b`\\_c" in text


def test_a_class_that_is_worse(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    committed = write(tmp_path / "before.json", table(A=good(), B=good(), C=good()))
    monkeypatch.setattr(command, "COMMITTED", committed)
    worse = {
        "A": good(green=False, why_not=("unbound: x",)),
        "B": good(editable={"pattern": 1}, silent=("hook_x",)),
    }
    now = write(tmp_path / "now.json", table(**worse))
    made = tmp_path / "all.json"
    code, _, err = run("--merge", now, "--json", made)
    assert code == 1
    assert "worse: A (draft): it is not green any more: unbound: x" in err
    assert "worse: B (draft): pattern editable: 1, before 2" in err
    assert "worse: B (draft): silent hooks: 1, before 0" in err
    record = valid(made)
    assert record["outcome"] == "worse" and record["exit_code"] == 1 and len(record["worse"]) == 3
    # Another release says nothing about this one.
    other = write(tmp_path / "other.json", table("5.24.0", **worse))
    assert run("--merge", other)[0] == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cannot be read: Expecting value"),
        ("[]", "not what `adaptergen survey --json` writes"),
        ('{"schema": "adaptergen/survey/1", "tables": [{"task": 1}]}', "of its values are not"),
    ],
)
def test_a_file_that_is_no_survey(run: Run, tmp_path: Path, text: str, why: str) -> None:
    file, made = tmp_path / "x.json", tmp_path / "all.json"
    file.write_text(text)
    code, out, err = run("--merge", file, "--json", made)
    assert code == 2 and out == "" and why in err and "hint: name a file that" in err
    assert "Traceback" not in err and json.loads(made.read_text())["outcome"] == "failed"
    made.unlink()
    code, _, err = run("--merge", tmp_path / "none.json", "--json", made)
    assert code == 2 and "No such file" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--shard", "0/2"], "is not K/N"),
        (["--shard", "3/2"], "is not K/N"),
        (["--shard", "x"], "is not K/N"),
        (["--task", "vision"], "invalid choice"),
        (["LlamaForCausalLM", "--merge", "a.json", "--shard", "1/2"], "takes no CLASS"),
        (["--merge", "a.json", "--task", "masked-lm"], "takes no --task"),
        (["--json", "-", "--report", "-"], "both write to standard output"),
    ],
)
def test_bad_arguments(run: Run, arguments: list[str], told: str) -> None:
    code, out, err = run(*arguments)
    assert code == 2 and out == "" and told in err and "Traceback" not in err


@pytest.mark.heavy
def test_an_unknown_class(run: Run, tmp_path: Path) -> None:
    made = tmp_path / "x.json"
    code, out, err = run("LamaForCausalLM", "--json", made)
    assert code == 2 and out == ""
    assert "is no class for causal-lm" in err and "did you mean `LlamaForCausalLM`?" in err
    assert valid(made)["outcome"] == "failed"


@pytest.mark.heavy
@pytest.mark.long
def test_a_survey_goes_on_where_it_was(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADAPTERGEN_CACHE", str(tmp_path / "cache"))
    made = tmp_path / "all.json"
    code, out, err = run("HeliumForCausalLM", "DbrxForCausalLM", "--json", made)
    assert code == 0 and "1 of 2 classes stand" in out
    assert "[  2/2]" in err and "HeliumForCausalLM: " in err
    first = made.read_text()
    dbrx, helium = valid(made)["tables"][0]["classes"]
    assert dbrx["error"] and helium["spec"]["green"] and helium["by_hand"] is None
    assert helium["draft"]["stands"] and helium["draft"]["findings"] is not None
    code, _, err = run("HeliumForCausalLM", "DbrxForCausalLM", "--json", made)
    assert code == 0 and "2 of 2 classes are taken from" in err and "[" not in err
    assert made.read_text() == first
    # What cannot be read is measured anew.
    for record in (tmp_path / "cache").rglob("Dbrx*.record"):
        record.write_text("{")
    code, _, err = run("--shard", "1/2", "HeliumForCausalLM", "DbrxForCausalLM", "--json", made)
    assert code == 0 and "[  1/1] DbrxForCausalLM" in err
