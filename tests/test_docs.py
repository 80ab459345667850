"""The pages below docs/ that are made from the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adaptergen.docs import errors_page, main, spec_page
from adaptergen.error_codes import error_codes

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {"errors.md": errors_page, "spec.md": spec_page}


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_what_is_made(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "stale: run `make docs`"


def test_every_code_has_a_section() -> None:
    assert set(re.findall(r"^### (.*)$", errors_page(), re.MULTILINE)) == set(error_codes())


def test_links_lead_somewhere() -> None:
    text = spec_page()
    anchors = {head.lower() for head in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors


def test_check_and_write(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("adaptergen.docs.checkout", lambda: tmp_path)
    assert main(["--check"]) == 1
    assert "make docs" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    assert main([]) == 0
    assert main(["--check"]) == 0
    assert {path.name for path in (tmp_path / "docs").iterdir()} == set(PAGES)
    monkeypatch.setattr("adaptergen.docs.checkout", lambda: None)
    assert main([]) == 2
