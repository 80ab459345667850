"""The registries compared: with each other, with adapter classes, and with lists of models."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from functools import partial

from adaptergen.audit.findings import AuditedTree, Finding, Fix, adding
from adaptergen.catalogue.model import RegistrationSite
from adaptergen.edit.entries import Entry, remove
from adaptergen.edit.imports import add_import
from adaptergen.edit.rows import remove_rows, set_number

GAPS_FILE = "transformer_lens/tools/model_registry/data/architecture_gaps.json"
_MODELS_FILE = "transformer_lens/tools/model_registry/data/supported_models.json"
_FACTORY = "SUPPORTED_ARCHITECTURES"
_SUPPORTED = "HF_SUPPORTED_ARCHITECTURES"
_AUTHORS = "CANONICAL_AUTHORS_BY_ARCH"
_DESCRIPTIONS = "ARCHITECTURE_DESCRIPTIONS"
_GROUP = "Supported architectures"

#: Where upstream lists architectures that the registries omit on purpose, in a checkout.
_EXCLUDED_FILE = "tests/unit/tools/test_model_registry.py"
_EXCLUDED_NAME = "INTENTIONAL_EXCLUDES"
#: That list as of TransformerLens 4.3.0, for an installed package, which has no tests.
_EXCLUDED = frozenset(
    {
        "GPT2LMHeadCustomModel", "Gemma1ForCausalLM", "MinGPTForCausalLM", "NanoGPTForCausalLM",
        "NeelSoluOldForCausalLM", "NeoForCausalLM", "NeoXForCausalLM", "TransformerLensNative",
        "TransformerLensPretrain",
    }
)  # fmt: skip


def registry_findings(tree: AuditedTree) -> Iterator[Finding]:
    """All that is wrong in and between the sites."""
    sites = {site.container: site for site in tree.catalogue.sites if site.kind != "imports"}
    for site in sites.values():
        yield from _doubles(tree, site)
    if _FACTORY not in sites:
        return
    factory = tree.entries(sites[_FACTORY].file, _FACTORY)
    known = {name: line for name, _, line in factory}
    excluded = _excluded(tree)
    for container in (_SUPPORTED, _AUTHORS):
        if container in sites:
            yield from _compared(tree, sites[container], sites[_FACTORY].file, known, excluded)
    if _DESCRIPTIONS in sites and _SUPPORTED in sites:
        yield from _undescribed(tree, sites[_DESCRIPTIONS], sites[_SUPPORTED])
    yield from _classes(tree, sites[_FACTORY], factory)
    yield from _exports(tree, sites.get("__all__"))


def _doubles(tree: AuditedTree, site: RegistrationSite) -> Iterator[Finding]:
    first: dict[str, tuple[ast.expr | None, int]] = {}
    for name, value, line in tree.entries(site.file, site.container):
        if name not in first:
            first[name] = value, line
            continue
        other, at = first[name]
        same = value is None or other is None or ast.dump(value) == ast.dump(other)
        entry = Entry(site.container, site.kind, name)
        # If the values differ, only a person can tell which one is right.
        fix: Fix | None = (site.file, partial(remove, path=site.file, entry=entry))
        fix = fix if same else None
        message = f"{name} is in {site.container} twice, first in line {at}"
        hint = "remove one of them" if same else "their values differ: keep the one that is right"
        yield tree.finding("double-entry", name, message, hint, site.file, line, fix)


def _compared(
    tree: AuditedTree,
    site: RegistrationSite,
    factory: str,
    known: dict[str, int],
    excluded: frozenset[str],
) -> Iterator[Finding]:
    here = {name: line for name, _, line in tree.entries(site.file, site.container)}
    for name, line in known.items():
        if name in here or name in excluded:
            continue
        # In a dict of authors, only a person can tell who trains an architecture.
        fix = adding(site.file, Entry(site.container, "set", name)) if site.kind == "set" else None
        message = f"{name} is in the factory and not in {site.container}"
        hint = f"add it to {site.container} in {site.file}"
        yield tree.finding("missing-entry", name, message, hint, factory, line, fix)
    for name, line in here.items():
        if name not in known:
            message = f"{name} is in {site.container} and not in the factory"
            hint = f"remove it, or add it to {_FACTORY} in {factory}"
            yield tree.finding("extra-entry", name, message, hint, site.file, line)


def _undescribed(
    tree: AuditedTree, site: RegistrationSite, supported: RegistrationSite
) -> Iterator[Finding]:
    described = {name for name, _, _ in tree.entries(site.file, site.container)}
    for name, _, line in tree.entries(supported.file, supported.container):
        if name in described:
            continue
        text = _description(tree, name)
        entry = Entry(site.container, "dict", name, repr(text), _GROUP)
        yield tree.finding(
            "missing-description", name, f"{name} has no entry in {site.container}",
            f"describe it in {site.file}", supported.file, line,
            adding(site.file, entry) if text else None,
        )  # fmt: skip


def _description(tree: AuditedTree, architecture: str) -> str:
    """What the adapter's docstring says of the models; empty if that is only their name."""
    wanted = tree.catalogue.adapters.get(architecture)
    cls = next((cls for _, cls in tree.adapters if cls.name == wanted), None)
    text = (ast.get_docstring(cls.node) or "").split("\n\n")[0] if cls else ""
    sentence = " ".join(text.split()).split(". ")[0].rstrip(".").replace("``", "")
    for opening in ("Architecture adapter for ", "Adapter for ", "Wraps HF's "):
        sentence = sentence.removeprefix(opening)
    words = set(sentence.replace("(", " ").replace(")", " ").split())
    return sentence if words - set(tree.catalogue.adapters) - {"models", "model"} else ""


def _classes(
    tree: AuditedTree, site: RegistrationSite, factory: list[tuple[str, ast.expr | None, int]]
) -> Iterator[Finding]:
    module = site.file.removesuffix(".py").replace("/", ".")
    registered: set[str] = set()
    for name, value, line in factory:
        text = ast.unparse(value) if value is not None else ""
        cls = tree.library.find(module, text)
        registered.add(cls.name if cls is not None else text)
        if cls is not None and tree.is_adapter(cls):
            continue
        why = "derives from no ArchitectureAdapter" if cls else "is no class that can be found"
        yield tree.finding(
            "wrong-class", name, f"{name} is registered with {text}, which {why}",
            "import the adapter class, or register another one", site.file, line,
        )  # fmt: skip
    derived_from = {base.name for _, cls in tree.adapters for base in tree.library.mro(cls)[1:]}
    for path, cls in tree.adapters:
        if cls.name not in registered | derived_from:
            message = f"{cls.name} is registered for no architecture"
            hint = f"add it to {_FACTORY} in {site.file}, or delete it"
            line = cls.node.lineno
            yield tree.finding("never-registered", cls.name, message, hint, path, line)


def _exports(tree: AuditedTree, site: RegistrationSite | None) -> Iterator[Finding]:
    """The package of the adapters: what it imports, what it exports, what there is."""
    if site is None:
        return
    imported = {
        alias.asname or alias.name: alias.lineno
        for node in tree.parse(site.file).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    exported = {name: line for name, _, line in tree.entries(site.file, "__all__")}
    for name, line in exported.items():
        if name not in imported:
            message = f"{name} is in __all__ and is not imported"
            yield tree.finding(
                "wrong-class", name, message, "import it, or remove it", site.file, line
            )
    for name, line in imported.items():
        if name not in exported:
            fix = adding(site.file, Entry("__all__", "list", name))
            message = f"{name} is imported and not in __all__"
            yield tree.finding(
                "missing-entry", name, message, "add it to __all__", site.file, line, fix
            )
    registered = set(tree.catalogue.adapters.values())
    for path, cls in tree.adapters:
        if cls.name in registered and cls.name not in imported:
            module = path.removesuffix(".py").replace("/", ".")
            fix = (site.file, partial(add_import, path=site.file, module=module, name=cls.name))
            message = f"{cls.name} is not imported in the package of the adapters"
            hint = f"import it in {site.file}"
            line = cls.node.lineno
            yield tree.finding("missing-entry", cls.name, message, hint, path, line, fix)


def gap_findings(tree: AuditedTree) -> Iterator[Finding]:
    """Architectures listed as unsupported that the factory has, and models of none that it has."""
    known = tree.catalogue.adapters
    for name, line in _rows(tree, GAPS_FILE, "gaps"):
        if name in known:
            message = f"{name} is listed as a gap, and is supported by {known[name]}"
            hint = "remove the row, and update the totals"
            fix = (GAPS_FILE, partial(without_gap, architecture=name))
            yield tree.finding("supported-in-gaps", name, message, hint, GAPS_FILE, line, fix)
    unknown: dict[str, int] = {}
    for name, line in _rows(tree, _MODELS_FILE, "models"):
        if name not in known:
            unknown.setdefault(name, line)
    for name, line in unknown.items():
        message = f"models are listed for {name}, which the factory does not have"
        hint = "remove the rows, or register it"
        yield tree.finding("extra-entry", name, message, hint, _MODELS_FILE, line)


def without_gap(data: bytes, architecture: str) -> bytes:
    """The list of gaps without an architecture, its two totals updated."""
    made = remove_rows(
        data, GAPS_FILE, "gaps", lambda row: row.get("architecture_id") == architecture
    )
    if made == data:
        return data
    gaps = json.loads(made)["gaps"]
    made = set_number(made, GAPS_FILE, "total_unsupported_architectures", len(gaps))
    models = sum(gap.get("total_models", 0) for gap in gaps)
    return set_number(made, GAPS_FILE, "total_unsupported_models", models)


def _rows(tree: AuditedTree, path: str, container: str) -> Iterator[tuple[str, int]]:
    """The architecture and the line of each row."""
    file = tree.root / path
    if not file.is_file():
        return
    text = file.read_text(encoding="utf-8")
    rows: list[Mapping[str, object]] = json.loads(text).get(container, [])
    named = [
        number for number, line in enumerate(text.split("\n"), 1) if '"architecture_id"' in line
    ]
    # The tools of TransformerLens write one a line; otherwise the lines are not known.
    lines = named if len(named) == len(rows) else [1] * len(rows)
    for row, line in zip(rows, lines, strict=True):
        yield str(row.get("architecture_id")), line


def _excluded(tree: AuditedTree) -> frozenset[str]:
    """Architectures that are never on the Hub, and other spellings of some that are."""
    for node in ast.walk(tree.parse(_EXCLUDED_FILE)):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == _EXCLUDED_NAME:
                texts = (n.value for n in ast.walk(value) if isinstance(n, ast.Constant))
                return frozenset(text for text in texts if isinstance(text, str))
    return _EXCLUDED
