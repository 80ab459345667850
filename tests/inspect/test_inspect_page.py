"""The table of all causal language models: what is committed, and a part of it made anew."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "inspect.md"
TEXT = PAGE.read_text(encoding="utf-8")
LINES = re.findall(r"^\| [A-Za-z]\w+ \| .*", TEXT, re.MULTILINE)
ROWS = {line.split(" | ")[0].strip("| "): line for line in LINES if "| Class |" not in line}
COUNT = re.search(r"^(\d+) of (\d+) classes run \(transformers (\S+), torch", TEXT, re.MULTILINE)


def reason(row: str) -> str:
    """Why a class does not run; empty if it does."""
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    return cells[2] if re.fullmatch(r"hf-[a-z]+", cells[1]) else ""


def test_at_least_170_classes_run_and_the_others_say_why_not() -> None:
    assert COUNT and int(COUNT[2]) == len(ROWS) == 181
    failed = [row for row in ROWS.values() if re.search(r"\| hf-[a-z]+ \|", row)]
    assert int(COUNT[1]) == 181 - len(failed) >= 170
    assert all(reason(row) for row in failed)


@pytest.mark.heavy
def test_some_rows_made_anew() -> None:
    try:
        installed = version("transformers")
    except PackageNotFoundError:
        installed = ""
    if not COUNT or COUNT[3] != installed:
        pytest.skip("the table is of another release of transformers")
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("all_classes", Path(__file__).with_name("all_classes.py"))
    assert spec and spec.loader
    all_classes = module_from_spec(spec)
    spec.loader.exec_module(all_classes)
    chosen = ["Lfm2ForCausalLM", "RwkvForCausalLM", "DbrxForCausalLM"]
    for name, (_, row) in zip(chosen, all_classes.rows(chosen), strict=True):
        assert row == ROWS[name], "stale: run `make inspect`"
