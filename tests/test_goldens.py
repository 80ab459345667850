"""What lies in generated/ is what the specs build, on any machine and from any folder."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adaptergen.generate import generate
from adaptergen.output.compare import compare

ROOT = Path(__file__).parent.parent
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
HOW_TO_UPDATE = "run `adaptergen build specs/*.yaml` and review the difference"


@pytest.fixture(scope="module", params=SPECS, ids=lambda path: path.stem)
def wanted(request):
    return generate(request.param)


def test_generated_files_are_what_the_spec_builds(wanted):
    pending = compare(ROOT / "generated", [wanted]).pending
    assert [f"{entry.path}: {entry.state.name}" for entry in pending] == [], HOW_TO_UPDATE


def test_same_bytes_from_another_folder_and_with_another_hash_seed(wanted, tmp_path):
    code = (
        "import hashlib, sys; from pathlib import Path; from adaptergen.generate import generate\n"
        "files = generate(Path(sys.argv[1])).files\n"
        "print({name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())})"
    )
    spec = ROOT / wanted.spec
    runs = {
        subprocess.run(
            [sys.executable, "-c", code, os.path.relpath(spec, folder)],
            cwd=folder,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for folder, seed, zone in ((ROOT, "1", "UTC"), (tmp_path, "2", "Asia/Tokyo"))
    }
    assert len(runs) == 1


def test_python_compiles_without_unused_imports(wanted, tmp_path):
    for name, data in wanted.files.items():
        if name.endswith(".py"):
            compile(data, name, "exec")
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_one_header_line_names_the_spec_and_the_command(wanted):
    for name, data in wanted.files.items():
        if not name.endswith((".py", ".md")):
            continue
        text = data.decode()
        assert f"`adaptergen build {wanted.spec}`" in text.splitlines()[0]
        # What says how to build the runtime anew, and the name it has among modules.
        own = [f'BUILD = "adaptergen build {wanted.spec}"', 'name = "adaptergen_runtime"']
        for line in own if name == "register.py" else ():
            assert text.count(line) == 1, line
            text = text.replace(line, "")
        assert text.count("adaptergen") == 1, name
        assert str(ROOT) not in text


def test_emitted_tests_import_nothing_of_ours(wanted):
    for name, data in wanted.files.items():
        if name.endswith(".py"):
            for node in ast.walk(ast.parse(data)):
                if isinstance(node, ast.ImportFrom):
                    assert not (node.module or "").startswith("adaptergen")
                elif isinstance(node, ast.Import):
                    assert not any(alias.name.startswith("adaptergen") for alias in node.names)


def test_registry_has_the_seven_edits_in_four_files(wanted):
    registry = json.loads(wanted.files["registry.json"])
    sites = [(edit["file"], edit["container"]) for edit in registry["edits"]]
    assert len(set(sites)) == 7
    assert len({file for file, _ in sites}) == 4
    assert all(row["status"] == 0 for row in registry["supported_models"]["rows"])
    assert all(
        value is None
        for row in registry["supported_models"]["rows"]
        for key, value in row.items()
        if key.endswith("_score")
    )


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_spec_is_short(path):
    assert len(path.read_text().splitlines()) <= 90
