"""Where a tree is, what else is read from it, and what is said of bad ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from adaptergen.catalogue.extract import extract
from adaptergen.catalogue.library import find_installed
from adaptergen.catalogue.model import CatalogueError, ConfigField, RegistrationSite

Tree = Callable[[Mapping[str, str]], Path]
ADAPTERS = "transformer_lens.model_bridge.supported_architectures"


def test_sites_settings_and_gaps(tree: Tree) -> None:
    root = tree(
        {
            "transformer_lens/model_bridge/supported_architectures/__init__.py": f"""
                from {ADAPTERS}.b import BAdapter
                from {ADAPTERS}.a import AAdapter
                __all__ = ["BAdapter", "AAdapter", "AAdapter"]
            """,
            "transformer_lens/factories/architecture_adapter_factory.py": f"""
                from {ADAPTERS} import AAdapter, BAdapter
                SUPPORTED_ARCHITECTURES = {{"B": BAdapter, "A": AAdapter, **EXTRA, "C": AAdapter}}
            """,
            "transformer_lens/tools/model_registry/__init__.py": """
                HF_SUPPORTED_ARCHITECTURES: set[str] = {"B", "A"}
            """,
            "transformer_lens/model_bridge/sources/_bridge_builder.py": """
                _HF_PASSTHROUGH_ATTRS = ["expand", "alibi"]
            """,
            "transformer_lens/config/base_config.py": """
                @dataclass
                class Config:
                    d_model: int
                    eps: float = 1e-5
            """,
            "transformer_lens/config/transformer_bridge_config.py": """
                from .base_config import Config

                class TransformerBridgeConfig(Config):
                    def __init__(self, d_model: int, eps: float = 1e-6, *, seed: int = 0, **kw):
                        super().__init__(d_model=d_model, **kw)
                        self.eps = eps
                        self.split = False
            """,
            "transformer_lens/model_bridge/__init__.py": """
                from transformer_lens.model_bridge.transformer_bridge import TransformerBridge
            """,
            "transformer_lens/model_bridge/transformer_bridge.py": """
                class Core:
                    hook_aliases = {"hook_b": "b.hook_out", "hook_a": ["c.hook_out", "a.hook_out"]}

                class TransformerBridge(Core):
                    def mark_pos_dim(self):
                        return self.cfg.d_model, self.cfg.eps
            """,
            # A model from before bridges.
            "transformer_lens/components/mlp.py": "seed = config.seed",
        }
    )
    catalogue = extract(root, "9.9")
    imports, factory, names, table, registry = catalogue.sites
    file = "transformer_lens/model_bridge/supported_architectures/__init__.py"
    assert imports == RegistrationSite(file, ADAPTERS, "imports", ("AAdapter", "BAdapter"))
    assert factory.container == ADAPTERS
    assert (names.container, names.kind) == ("__all__", "list")
    assert (names.entries, table.entries) == (("AAdapter", "BAdapter"), ("A", "B", "C"))
    assert (registry.kind, registry.entries) == ("set", ("A", "B"))
    assert catalogue.adapters == {"A": "AAdapter", "B": "BAdapter", "C": "AAdapter"}
    assert catalogue.passthrough == ("alibi", "expand")
    assert catalogue.config_fields == {
        "d_model": ConfigField("d_model", "int", None),
        "eps": ConfigField("eps", "float", "1e-06"),
        "seed": ConfigField("seed", "int", "0", read=False),
        "split": ConfigField("split", None, "False", read=False),
    }
    assert catalogue.bridge_aliases == {
        "hook_a": ("c.hook_out", "a.hook_out"), "hook_b": ("b.hook_out",),
    }  # fmt: skip
    assert catalogue.capabilities == ("pos_slice",)
    assert [gap.partition(": ")[2] for gap in catalogue.gaps] == [
        "no ArchitectureAdapter",
        "no CANONICAL_AUTHORS_BY_ARCH",
        "no ARCHITECTURE_DESCRIPTIONS",
    ]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("./PKG-INFO", "Metadata-Version: 2.5\nName: transformer-lens\nVersion: 9.8.7\n"),
        ("transformer_lens-9.8.7.dist-info/METADATA", "Metadata-Version: 2.5\nVersion: 9.8.7\n"),
        ("./pyproject.toml", '[project]\n    name="x"\n    version = "9.8.7"\n[tool.x]\n'),
    ],
)
def test_the_version_is_told_by_the_tree(tree: Tree, file: str, text: str) -> None:
    root = tree({file: text})
    assert extract(root).tl_version == "9.8.7"
    assert extract(root / "transformer_lens").tl_version == "9.8.7"


@pytest.mark.parametrize("version", ["0.0.0", None])
def test_an_untold_version_is_asked_for(tree: Tree, version: str | None) -> None:
    root = tree({"./pyproject.toml": f'[project]\nversion = "{version}"\n'} if version else {})
    with pytest.raises(CatalogueError, match="cannot be determined") as caught:
        extract(root)
    assert "explicitly" in caught.value.hint
    assert extract(root, "1.2").tl_version == "1.2"


def test_a_path_that_is_not_transformer_lens(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="is not TransformerLens"):
        extract(tmp_path, "9.9")
    with pytest.raises(CatalogueError, match="does not exist"):
        extract(tmp_path / "nowhere", "9.9")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def f(:\n", r"bad\.py:1 does not parse"),
        ("a = '\0'\n", r"bad\.py.* does not parse"),
        ("class A(B): pass\nclass B(A): pass\n", "own base class"),
        ("class A: pass\nclass B(A): pass\nclass C(A, B): pass\n", "no consistent order"),
    ],
)
def test_source_that_cannot_be_understood(tree: Tree, text: str, says: str) -> None:
    root = tree({"bad": text})
    with pytest.raises(CatalogueError, match=says) as caught:
        extract(root, "9.9")
    assert caught.value.hint.endswith(".")


def test_a_tree_without_the_root_class(tree: Tree) -> None:
    root = tree({"base": "class Other: pass"})
    with pytest.raises(CatalogueError, match="defines no GeneralizedComponent"):
        extract(root, "9.9")


def test_a_mere_folder_of_that_name_is_not_an_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_a_folder").mkdir()
    (tmp_path / "a_package").mkdir()
    (tmp_path / "a_package/__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    for name, found in {"only_a_folder": None, "a_package": tmp_path / "a_package"}.items():
        monkeypatch.setattr("adaptergen.catalogue.library.PACKAGE", name)
        assert find_installed() == found
