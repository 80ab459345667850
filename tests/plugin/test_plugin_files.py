"""What is in a package."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adaptergen import runtime
from adaptergen.cli import main

ROOT = Path(__file__).parents[2]
SPECS = ["specs/helium.yaml", "specs/nemotron_h.yaml", "specs/deepseek_v3.yaml"]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of three adapters, two of which TransformerLens has of its own."""
    folder = tmp_path_factory.mktemp("made") / "tl-three"
    assert main(["export", *[str(ROOT / spec) for spec in SPECS], "--plugin", str(folder)]) == 0
    return folder


def test_files(package: Path) -> None:
    modules = ("helium", "nemotron_h", "deepseek_v3")
    tests = {
        f"tests/test_{m}_{kind}.py" for m in modules for kind in ("adapter", "tiny", "checkpoint")
    }
    source = {f"src/tl_three/{name}.py" for name in (*modules, "__init__", "_activation")}
    shared = {f"tests/{path}" for path in runtime.contract("adapter_contract")}
    assert {"tests/adapter_contract/__init__.py", "tests/adapter_contract/tables.py"} <= shared
    own = (*runtime.sources(), "registration", "__init__")
    shared |= {f"src/tl_three/_runtime/{name}.py" for name in own}
    single = {"README.md", "manifest.json", "pyproject.toml", "src/tl_three/py.typed"}
    found = {p.relative_to(package).as_posix() for p in package.rglob("*") if p.is_file()}
    assert found == {*tests, *source, *shared, *single, "tests/test_plugin.py"}


def test_nothing_imports_adaptergen_or_what_is_not_there(package: Path) -> None:
    allowed = {
        *("accelerate", "packaging", "pytest", "tl_three", "tokenizers", "torch"),
        *("transformer_lens", "transformers"),
        # Beside the tests, which find each other.
        *("adapter_contract", *(path.stem for path in package.glob("tests/*.py"))),
    }
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                if node.level:
                    # Of the contract, which stands among other modules wherever it is.
                    assert node.level == 1 and path.parent.name == "adapter_contract"
                    assert not node.module or path.with_name(f"{node.module}.py").is_file()
                    continue
                assert node.module
                names = [node.module]
            for name in names:
                top = name.partition(".")[0]
                assert top in allowed or top in sys.stdlib_module_names, (path, name)
        assert ".supported_architectures.helium" not in path.read_text("utf-8")


def test_project(package: Path) -> None:
    toml = pytest.importorskip("tomllib", reason="needs Python 3.11")
    text = (package / "pyproject.toml").read_text("utf-8")
    project = toml.loads(text)["project"]
    assert project["name"] == "tl-three"
    assert (
        project["description"] == "TransformerLens adapters for Helium, Nemotron-H and DeepSeek-V3"
    )
    assert project["dependencies"] == ["transformer-lens>=4.3.0", "transformers>=5.12.1"]
    # TransformerLens would warn of every user of an entry point that it cannot use.
    assert project["entry-points"] == {
        "transformer_lens.architectures": {
            "HeliumForCausalLM": "tl_three.helium:HeliumArchitectureAdapter"
        }
    }
    assert not {"license", "license-files", "authors"} & project.keys()


def test_no_entry_point_where_transformer_lens_has_all(export: Any, project: Path) -> None:
    assert export("specs/nemotron_h.yaml", "tl-nemotron").code == 0
    assert "entry-points" not in (project / "tl-nemotron" / "pyproject.toml").read_text()
    readme = (project / "tl-nemotron" / "README.md").read_text()
    first = readme.partition("```python\n")[2].partition("```")[0]
    assert first.index("tl_nemotron.activate()") < first.index("boot_transformers")
    assert "entry points" not in readme


def test_readme_says_which_line_is_needed(package: Path) -> None:
    """Installed and not imported, `boot_transformers` refuses: see `test_booted_from_a_folder`."""
    use = (package / "README.md").read_text("utf-8").partition("## Use")[2].partition("\n## ")[0]
    code, _, text = use.partition("```python\n")[2].partition("```")
    assert code.index("\nimport tl_three  # ") < code.index("boot_transformers(")
    assert "One line is needed before such a model is loaded: `import tl_three`." in text


def test_readme_has_the_hook_pages(package: Path) -> None:
    readme = (package / "README.md").read_text("utf-8")
    for spec in SPECS:
        page = ROOT / "generated" / Path(spec).stem / "HOOKS.md"
        rows = [line for line in page.read_text("utf-8").splitlines() if line.startswith("| `")]
        assert len(rows) > 30
        for row in rows:
            assert row in readme
    assert [line for line in readme.splitlines() if line.startswith("# ")] == ["# tl-three"]


def test_the_same_bytes_from_elsewhere(export: Any, package: Path, project: Path) -> None:
    other = project / "some" / "where" / "tl-three"
    assert export(*SPECS, other).code == 0
    for path in package.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (other / path.relative_to(package)).read_bytes(), path
            assert str(project).encode() not in path.read_bytes()


def test_python_is_formatted_and_names_nothing_in_vain(package: Path) -> None:
    import black

    for path in package.rglob("*.py"):
        text = path.read_text("utf-8")
        assert black.format_str(text, mode=black.Mode(line_length=100)) == text
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F", str(package)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
