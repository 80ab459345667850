"""The command: arguments, exit codes, what is told when nothing can be measured."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from verify_support import ROOT, SPEC, Project, Result, read

from adaptergen.generate import plan
from adaptergen.verify import environment

Run = Callable[..., Result]

#: Runs a command in which nothing heavy can be imported.
WITHOUT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refuse())
from adaptergen.cli import main
sys.exit(main({arguments!r}))
"""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tier", "checkpoint"], "add --checkpoint"),
        (["--checkpoint", "folder"], "add --tier checkpoint"),
        (["--dtype", "float32"], "add --tier checkpoint"),
        (["--trust-remote-code"], "add --tier checkpoint"),
        (["--config", "config.json"], "add --tier full"),
        (["--tier", "checkpoint", "--checkpoint", "x", "--max-memory", "cpu=1GB"], "--device-map"),
        (["--max-memory", "cpu"], "DEVICE=SIZE"),
        (["--tier", "huge"], "invalid choice"),
    ],
)
def test_arguments_that_do_not_fit(run: Run, arguments: list[str], message: str) -> None:
    result = run(SPEC, *arguments)
    assert result.code == 2
    assert message in result.err
    assert not result.out


def test_a_checkpoint_is_of_one_spec(run: Run) -> None:
    result = run(SPEC, SPEC.with_name("other.yaml"), "--tier", "checkpoint", "--checkpoint", "x")
    assert result.code == 2
    assert "name one spec" in result.err


@pytest.mark.parametrize("json", [True, False])
def test_problems_of_a_spec(run: Run, project: Project, tmp_path: Path, json: bool) -> None:
    project.change(SPEC.name, "blocks", "kinds", "linear_attention", "shape", to="mamba3_mixer")
    file = tmp_path / "found.json"
    result = run(project.spec, *(["--json", file] if json else []))
    assert result.code == 2
    assert "error[unknown-shape]" in result.err
    assert "nemotron_h.yaml:" in result.err
    if json:
        found = read(file)
        assert found["outcome"] == "failed"
        assert [problem["code"] for problem in found["problems"]] == ["unknown-shape"]


@pytest.mark.heavy
@pytest.mark.parametrize("missing", environment.HEAVY)
def test_a_heavy_package_is_missing(tmp_path: Path, missing: str) -> None:
    file = tmp_path / "found.json"
    arguments = ["verify", str(SPEC), "--json", str(file)]
    code = WITHOUT.format(missing=missing, arguments=arguments)
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2, result.stderr
    assert f"This needs {missing}" in result.stderr
    assert "pip install 'adaptergen[verify]'" in result.stderr
    assert "Traceback" not in result.stderr
    assert read(file)["exit_code"] == 2


@pytest.mark.heavy
def test_versions_that_nothing_is_verified_with(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"transformer-lens": "4.9.0", "transformers": "6.1.0"}
    monkeypatch.setattr(environment, "version", versions.__getitem__)
    catalogue, tl, transformers = environment.unverified(plan(SPEC), "specs/nemotron_h.yaml")
    assert "no catalogue for TransformerLens 4.9.0" in catalogue
    verified = "specs/nemotron_h.yaml was verified with transformer-lens 4.3.0"
    assert tl == f"{verified}; 4.9.0 is installed."
    newest = plan(SPEC).spec.verified_with.transformers[-1]
    assert f", {newest}; 6.1.0 is installed." in transformers


@pytest.mark.heavy
def test_an_unverified_version_is_a_warning(run: Run, project: Project, tmp_path: Path) -> None:
    project.change(SPEC.name, "verified_with", "transformer_lens", to=["4.2.0"])
    file = tmp_path / "found.json"
    result = run(project.spec, "--tier", "full", "--json", file)
    assert result.code == 0
    assert "warning: specs/nemotron_h.yaml was verified with transformer-lens 4.2.0" in result.err
    assert any("4.2.0" in line for line in read(file)["warnings"])


@pytest.mark.heavy
def test_json_alone_is_on_standard_output(run: Run, tmp_path: Path) -> None:
    result = run(SPEC, "--tier", "full", "--json", "-")
    assert result.code == 0
    (tmp_path / "found.json").write_text(result.out)
    assert read(tmp_path / "found.json")["tier"] == "full"
    assert "Fine: all as promised on 4 models" in result.err


@pytest.mark.heavy
def test_a_broken_package_is_told(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    def broken(name: str) -> None:
        raise ImportError("cannot import name `Cache`")

    monkeypatch.setattr(f"{environment.__name__}.import_module", broken)
    result = run(SPEC)
    assert result.code == 2
    assert "`torch` cannot be imported" in result.err
    assert "adaptergen[verify]" in result.err
