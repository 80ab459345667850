"""`adaptergen drift` as it is called: what it prints, writes and imports, and how it ends."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from adaptergen.cli import main
from adaptergen.resources import schema, specs
from adaptergen.spec.load import load_shape

ROOT = Path(__file__).parents[2]
FROM_TO = ("--from", "5.12.1", "--to", "5.13.0")


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(specs(), tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    # Shapes are known by their relative path, which another test may have had too.
    load_shape.cache_clear()
    return tmp_path


def checked(text: str) -> Any:
    """JSON that was written, held against its schema."""
    content = json.loads(text)
    description = json.loads(schema("drift").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(description)
    jsonschema.validate(content, description, jsonschema.Draft202012Validator)
    assert list(content)[:3] == ["schema", "tool", "versions"]
    return content


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", "specs/nemotron_h.yaml", *FROM_TO]) == 1
    out, err = capsys.readouterr()
    assert err == "" and out.startswith(
        "NemotronHForCausalLM (specs/nemotron_h.yaml), transformers"
    )
    first = out.index("breaking: linear_attention (layers 0, 4): the name of layers of this kind")
    assert first < out.index("silent: moe (layer 2)") < out.index("benign:")
    assert re.search(r"specs/nemotron_h.yaml:\d+: nothing to do", out)
    assert out.endswith("2 breaking, 2 silent, 1 benign.\n")


def test_only_benign_is_fine(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", "specs/nemotron_h.yaml", "--from", "5.17.0", "--to", "5.20.2"]) == 0
    assert "0 breaking, 0 silent, 4 benign." in capsys.readouterr().out


def test_github(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", "specs/nemotron_h.yaml", *FROM_TO, "--format", "github"]) == 1
    *lines, _ = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    for line in lines:
        assert re.fullmatch(
            r"::(error|warning|notice) file=specs/[^,:]+(,line=\d+)?,title=[^:]+::.+", line
        )
    assert lines[0].startswith("::error file=specs/nemotron_h.yaml,line=")


def test_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", "specs/nemotron_h.yaml", *FROM_TO, "--format", "markdown"]) == 1
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(rows) == 7 and {row.replace("\\|", "").count("|") for row in rows} == {6}


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", "specs/nemotron_h.yaml", *FROM_TO, "--format", "json"]) == 1
    content = checked(capsys.readouterr().out)
    (spec,) = content["specs"]
    assert (spec["from"], spec["to"]) == ("5.12.1/4.3.0", "5.13.0/4.3.0")
    assert spec["counts"] == {"breaking": 2, "silent": 2, "benign": 1} and content["exit_code"] == 1
    assert main(["drift", "specs/nemotron_h.yaml", *FROM_TO, "--json", "found.json"]) == 1
    assert checked(Path("found.json").read_text("utf-8")) == content


BAD_LOCKS: dict[str, Callable[[str], str]] = {
    "lock-edited": lambda text: text.replace('"state": "silent"', '"state": "read_only"'),
    "lock-syntax": lambda text: text[: len(text) // 2],
    "lock-newer": lambda text: text.replace("adaptergen/lock/1", "adaptergen/lock/2"),
    "lock-form": lambda text: text.replace("adaptergen/lock/1", "adaptergen/verify/1"),
}


def files() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.mark.parametrize("code", BAD_LOCKS)
def test_a_bad_lock_is_told_and_nothing_else(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    lock = Path("specs/nemotron_h.lock.json")
    lock.write_text(BAD_LOCKS[code](lock.read_text("utf-8")), "utf-8")
    before = files()
    assert main(["drift", "specs/nemotron_h.yaml", *FROM_TO, "--format", "json"]) == 2
    out, err = capsys.readouterr()
    assert "specs/nemotron_h.lock.json:" in err and f": error[{code}]" in err and "hint: " in err
    content = checked(out)
    assert content["outcome"] == "failed" and content["problems"][0]["code"] == code
    assert main(["build", "specs/nemotron_h.yaml", "--out", "out"]) == 2
    assert f"error[{code}]" in capsys.readouterr().err
    assert files() == before


@pytest.mark.parametrize("arguments", [("--from", "5.12.1", "--to", "9.9.9"), ("--against", "5")])
def test_a_release_that_the_lock_lacks(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    before = files()
    assert main(["drift", "specs/nemotron_h.yaml", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and f"error[lock-release]: the lock has no release `{arguments[-1]}`" in err
    assert "5.12.1/4.3.0" in err and "hint: name one of these" in err and files() == before


@pytest.mark.parametrize(
    "arguments",
    [("--from", "5.12.1"), ("--to", "5.12.1"), (*FROM_TO, "--against", "5.17.0")],
)
def test_arguments_that_do_not_fit(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drift", "specs/nemotron_h.yaml", *arguments]) == 2
    assert "--from and --to go together" in capsys.readouterr().err


def test_between_locked_releases_nothing_heavy_is_imported(project: Path) -> None:
    code = (
        "import sys; from adaptergen.cli import main\n"
        f"main(['drift', 'specs/nemotron_h.yaml', *{FROM_TO!r}])\n"
        "bad = {'torch', 'transformers', 'transformer_lens', 'black', 'isort'} & set(sys.modules)\n"
        "sys.exit(f'imported: {bad}' if bad else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
