"""`adaptergen build`, on made-up specs and on the real one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from cli_support import SHARED

from adaptergen.output.staging import locked
from adaptergen.resources import schema

SPEC = Path("specs/nemotron_h.yaml")


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def checked(text: str) -> Any:
    """JSON that `--json` wrote, held against its schema."""
    content = json.loads(text)
    description = json.loads(schema("build").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(description)
    jsonschema.validate(content, description, jsonschema.Draft202012Validator)
    assert list(content)[:3] == ["schema", "tool", "versions"]
    return content


def test_build_check_diff(made_up: Path, run: Any) -> None:
    stale = run("build", "a.yaml", "b.yaml", "--check")
    assert stale.code == 1 and stale.out == ""
    assert (
        "new: a/code.py" in stale.err
        and "run `adaptergen build a.yaml b.yaml --out generated`" in stale.err
    )
    diff = run("build", "a.yaml", "b.yaml", "--diff")
    assert diff.code == 1
    assert "+code of a\n" in diff.out and "+code of b\n" in diff.out and "Stale" in diff.err
    assert not Path("generated").exists()
    written = run("build", "a.yaml", "b.yaml")
    assert (written.code, written.out) == (
        0,
        "",
    ) and f"Wrote: {4 + len(SHARED)} new." in written.err
    assert Path("generated/b/code.py").read_bytes() == b"code of b\n"
    for option in ("--check", "--diff", "--force"):
        fine = run("build", "a.yaml", "b.yaml", option)
        assert (fine.code, fine.out) == (0, "")
        assert fine.err.splitlines() == [
            "unverified: a.yaml, b.yaml have no lock; `adaptergen lock` writes one",
            f"Fine: {4 + len(SHARED)} unchanged.",
        ]


def test_out(made_up: Path, run: Any) -> None:
    assert run("build", "a.yaml", "--out", "deep/er").code == 0
    expected = {"a/code.py", "a/manifest.json"} | SHARED
    assert set(files(made_up / "deep" / "er")) == expected


def test_an_edit_is_refused_and_shown(made_up: Path, run: Any) -> None:
    run("build", "a.yaml", "b.yaml")
    Path("generated/a/code.py").write_text("mine\n", encoding="utf-8")
    Path("b.yaml").write_text("b\nother\n", encoding="utf-8")
    before = files(made_up)
    for option in ((), ("--check",), ("--diff",)):
        refused = run("build", "a.yaml", "b.yaml", *option)
        assert refused.code == 1
        assert "-mine\n" in refused.out + refused.err
        assert "edited by hand: a/code.py" in refused.err and "--force" in refused.err
        assert files(made_up) == before
    assert run("build", "a.yaml", "b.yaml", "--force").code == 0
    assert Path("generated/a/code.py").read_text(encoding="utf-8") == "code of a\n"


def test_one_bad_spec_and_nothing_is_written(made_up: Path, run: Any) -> None:
    result = run("build", "a.yaml", "bad.yaml", "worse.yaml", "--force")
    assert result.code == 2 and result.out == ""
    for name in ("bad", "worse"):
        assert f"{name}.yaml:1:1: error[bad-value]: this is bad" in result.err
    assert result.err.endswith("\n2 problems.\n") and "\x1b" not in result.err
    assert not Path("generated").exists()


def test_two_specs_of_one_module(made_up: Path, run: Any) -> None:
    Path("other").mkdir()
    Path("other/A.yaml").write_text("A\nother\n", encoding="utf-8")
    result = run("build", "a.yaml", "b.yaml", "other/A.yaml")
    assert result.code == 2
    assert "other/A.yaml:1:1: error[module-twice]" in result.err and "`a.yaml`" in result.err
    assert not Path("generated").exists()


def test_a_spec_named_twice_counts_once(made_up: Path, run: Any) -> None:
    Path("link.yaml").symlink_to("a.yaml")
    result = run("build", "b.yaml", "a.yaml", "./a.yaml", made_up / "a.yaml", "link.yaml", "b.yaml")
    assert result.code == 0
    assert result.err.splitlines()[-1] == f"Wrote: {4 + len(SHARED)} new."


def test_the_environment_stands_in_the_way(made_up: Path, run: Any) -> None:
    Path("file").write_text("", encoding="utf-8")
    result = run("build", "a.yaml", "--out", "file", "--json", "-")
    assert result.code == 2 and "hint: " in result.err
    assert checked(result.out)["outcome"] == "failed"


def test_json(made_up: Path, run: Any) -> None:
    stale = run("build", "a.yaml", "--check", "--json", "-")
    content = checked(stale.out)
    assert (stale.code, content["exit_code"], content["outcome"]) == (1, 1, "stale")
    entries = {entry["path"]: entry["state"] for entry in content["entries"]}
    assert entries == dict.fromkeys({"a/code.py", "a/manifest.json"} | SHARED, "new")
    assert content["counts"]["new"] == len(content["entries"]) == len(entries)
    assert content["specs"] == [{"module": "a", "spec": "a.yaml", "meta": {"adaptergen": "0"}}]
    assert {"adaptergen", "python", "black", "isort"} <= set(content["versions"])
    assert run("build", "a.yaml", "--json", "x.json").code == 0
    assert checked(Path("x.json").read_text(encoding="utf-8"))["outcome"] == "written"
    bad = run("build", "a.yaml", "bad.yaml", "--check", "--json", "-")
    content = checked(bad.out)
    assert (bad.code, content["exit_code"], content["outcome"]) == (2, 2, "failed")
    (problem,) = content["problems"]
    assert (problem["code"], problem["path"], problem["line"]) == ("bad-value", "bad.yaml", 1)


def test_json_does_not_overwrite_what_is_no_record(made_up: Path, run: Any) -> None:
    texts = {"notes.md": "mine", "a.lock.json": lock_like(), "x.json": '{"tool": "adaptergen"}'}
    for name, text in texts.items():
        Path(name).write_text(text, encoding="utf-8")
        result = run("build", "a.yaml", "--json", name)
        assert result.code == 2 and f"{name}: adaptergen did not write the file" in result.err
        assert Path(name).read_text(encoding="utf-8") == text
    for target in ("notes.md", "missing"):
        Path("link.json").unlink(missing_ok=True)
        Path("link.json").symlink_to(target)
        result = run("build", "a.yaml", "--json", "link.json")
        assert result.code == 2 and "link.json: this is a link" in result.err
        assert not Path("generated").exists()
        assert Path("notes.md").read_text(encoding="utf-8") == "mine"
        assert not Path("missing").exists()
    # The record of an earlier call is replaced.
    for outcome in ("written", "unchanged"):
        assert run("build", "a.yaml", "--out", "other", "--json", "found.json").code == 0
        assert checked(Path("found.json").read_text(encoding="utf-8"))["outcome"] == outcome


def lock_like() -> str:
    """The start of a lock, which is no record of a call."""
    return '{\n  "schema": "adaptergen/lock/1",\n  "tool": "adaptergen",\n  "digest": ""\n}\n'


def test_json_of_refused_and_interrupted(made_up: Path, run: Any) -> None:
    run("build", "a.yaml")
    Path("generated/a/code.py").write_text("mine\n", encoding="utf-8")
    content = checked(run("build", "a.yaml", "--check", "--json", "-").out)
    assert (content["outcome"], content["counts"]["edited"]) == ("refused", 1)
    with locked(Path("generated")):
        result = run("build", "a.yaml", "--check", "--json", "-")
    assert (result.code, checked(result.out)["outcome"]) == (1, "interrupted")


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("no/such/folder.json", "no/such/folder.json: there is no folder no/such"),
        (".", ".: this is a folder"),
        ("", "no file is named; is it a variable that is not set?"),
    ],
)
def test_json_that_cannot_be_written(made_up: Path, run: Any, target: str, told: str) -> None:
    result = run("build", "a.yaml", "--json", target)
    assert result.code == 2 and f"error: argument --json: {told}" in result.err
    assert not Path("generated").exists()


def test_json_that_may_not_be_written(
    made_up: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("x.json").touch()
    monkeypatch.setattr("os.access", lambda path, mode: str(path) != "x.json")
    result = run("build", "a.yaml", "--json", "x.json")
    assert result.code == 2 and "x.json: this cannot be written" in result.err
    assert not Path("generated").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_for_json_and_what_is_written_is_told(made_up: Path, run: Any) -> None:
    result = run("build", "a.yaml", "--json", "/dev/full")
    assert result.code == 2
    *before, full, hint = result.err.splitlines()
    assert before[-1] == f"Wrote: {2 + len(SHARED)} new."
    assert full == "/dev/full: No space left on device"
    assert "hint: " in hint


def test_so_many_problems_are_told_and_all_are_counted(project: Path, run: Any) -> None:
    with SPEC.open("a", encoding="utf-8") as file:
        file.writelines(f"key_{number}: 1\n" for number in range(300))
    result = run("build", SPEC, "--json", "-")
    assert result.code == 2
    assert result.err.count("error[unknown-key]") == 100
    assert result.err.endswith("\n\n100 of 300 problems shown.\n")
    content = checked(result.out)
    assert len(content["problems"]) == 100
    assert content["summary"] == "Nothing written: 100 of 300 problems shown."


def test_what_is_committed_is_what_the_spec_makes(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    specs = sorted(Path("specs").glob("*.yaml"))
    result = run("build", *specs, "--check")
    assert result.code == 0, result.err


def test_a_real_spec_from_anywhere_makes_the_same_files(project: Path, run: Any) -> None:
    assert run("build", SPEC).code == 0
    assert run("build", project / SPEC, "--out", "other").code == 0
    assert files(project / "generated") == files(project / "other")


def test_problems_of_a_real_spec(project: Path, run: Any) -> None:
    text = SPEC.read_text(encoding="utf-8")
    SPEC.write_text(text.replace("DynamicCache", "DynamcCache"), encoding="utf-8")
    result = run("build", SPEC, "specs", "no.yaml")
    assert result.code == 2
    assert "error[unknown-choice]" in result.err and "did you mean `DynamicCache`?" in result.err
    assert "specs:1:1: error[not-a-file]" in result.err
    assert "no.yaml:1:1: error[no-such-file]" in result.err
