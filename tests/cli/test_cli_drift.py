"""`adaptergen drift`: what it makes of its options, and where its JSON goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from adaptergen.resources import schema

SPEC = Path("specs/helium.yaml")
RELEASES = ("--from", "5.13.0", "--to", "5.17.0")


def checked(text: str) -> Any:
    """JSON that was written, held against its schema: one object."""
    content = json.loads(text)
    jsonschema.validate(content, json.loads(schema("drift").read_text("utf-8")))
    return content


@pytest.mark.parametrize("options", [("--format", "json"), ("--json", "-")], ids=" ".join)
def test_json_on_standard_output(project: Path, run: Any, options: tuple[str, ...]) -> None:
    result = run("drift", SPEC, *RELEASES, *options)
    assert checked(result.out)["exit_code"] == result.code


def test_json_that_is_asked_for_twice_is_written_once(project: Path, run: Any) -> None:
    result = run("drift", SPEC, *RELEASES, "--format", "json", "--json", "-")
    assert checked(result.out)["exit_code"] == result.code
    failed = run("drift", "no.yaml", *RELEASES, "--format", "json", "--json", "-")
    assert checked(failed.out)["summary"] == "Nothing compared: 1 problem."
    run("drift", SPEC, *RELEASES, "--format", "json", "--json", "x.json")
    assert checked(Path("x.json").read_text("utf-8"))["specs"]


@pytest.mark.parametrize(
    "options",
    [("--from", "5.13.0"), ("--to", "5.13.0"), ("--from", ""), (*RELEASES, "--against", "5.13.0")],
    ids=" ".join,
)
@pytest.mark.parametrize("where", [("--json", "-"), ("--format", "json")], ids=" ".join)
def test_releases_that_do_not_go_together(
    project: Path, run: Any, options: tuple[str, ...], where: tuple[str, ...]
) -> None:
    result = run("drift", SPEC, *options, *where)
    assert result.code == 2
    first, hint = result.err.splitlines()
    assert first == "--from and --to go together, and --against without them"
    assert hint.startswith("  hint: `--from A --to B`")
    content = checked(result.out)
    assert (content["outcome"], content["problems"]) == ("failed", [])
    assert content["summary"] == f"Nothing compared: {first}"
