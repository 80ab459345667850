"""The registration sites against each other, and against the classes that there are."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from adaptergen.audit.internal import internal
from adaptergen.audit.model import Finding, Mend, Source, entries
from adaptergen.catalogue.model import RegistrationSite
from adaptergen.edit.entries import Entry, add, remove
from adaptergen.edit.imports import add_import

FACTORY = "SUPPORTED_ARCHITECTURES"
SUPPORTED = "HF_SUPPORTED_ARCHITECTURES"
AUTHORS = "CANONICAL_AUTHORS_BY_ARCH"
DESCRIPTIONS = "ARCHITECTURE_DESCRIPTIONS"
GROUP = "Supported architectures"
_BASE = "ArchitectureAdapter"


def registry_findings(source: Source) -> Iterator[Finding]:
    """All that is wrong in and between the sites."""
    sites = {site.container: site for site in source.catalogue.sites if site.kind != "imports"}
    for site in sites.values():
        yield from _doubles(source, site)
    if FACTORY not in sites:
        return
    factory = entries(source.tree(sites[FACTORY].file), FACTORY)
    known = {name: line for name, _, line in factory}
    hidden = internal(source)
    for container in (SUPPORTED, AUTHORS):
        if container in sites:
            yield from _compared(source, sites[container], sites[FACTORY].file, known, hidden)
    if DESCRIPTIONS in sites and SUPPORTED in sites:
        yield from _undescribed(source, sites[DESCRIPTIONS], sites[SUPPORTED])
    yield from _classes(source, sites[FACTORY], factory)
    yield from _exports(source, sites.get("__all__"))


def _doubles(source: Source, site: RegistrationSite) -> Iterator[Finding]:
    found = entries(source.tree(site.file), site.container)
    first: dict[str, tuple[ast.expr | None, int]] = {}
    for name, value, line in found:
        if name not in first:
            first[name] = value, line
            continue
        other, at = first[name]
        same = value is None or other is None or ast.dump(value) == ast.dump(other)
        entry = Entry(site.container, site.kind, name)
        # Of two values only a person can tell which one is meant.
        mend: Mend | None = (
            (site.file, partial(remove, path=site.file, entry=entry)) if same else None
        )
        message = f"{name} is in {site.container} twice, first in line {at}"
        hint = "remove one of them" if same else "their values differ: keep the one that is right"
        yield source.finding("double-entry", name, message, hint, site.file, line, mend)


def _compared(
    source: Source,
    site: RegistrationSite,
    factory: str,
    known: dict[str, int],
    hidden: frozenset[str],
) -> Iterator[Finding]:
    here = {name: line for name, _, line in entries(source.tree(site.file), site.container)}
    for name, line in known.items():
        if name in here or name in hidden:
            continue
        entry = Entry(site.container, site.kind, name)
        # Who trains an architecture cannot be read anywhere.
        mend: Mend | None = (site.file, partial(add, path=site.file, entry=entry))
        yield source.finding(
            "missing-entry", name, f"{name} is in the factory and not in {site.container}",
            f"add it to {site.container} in {site.file}", factory, line,
            mend if site.kind == "set" else None,
        )  # fmt: skip
    for name, line in here.items():
        if name not in known:
            message = f"{name} is in {site.container} and not in the factory"
            hint = f"remove it, or add it to {FACTORY} in {factory}"
            yield source.finding("extra-entry", name, message, hint, site.file, line)


def _undescribed(
    source: Source, site: RegistrationSite, supported: RegistrationSite
) -> Iterator[Finding]:
    described = {name for name, _, _ in entries(source.tree(site.file), site.container)}
    for name, _, line in entries(source.tree(supported.file), supported.container):
        if name in described:
            continue
        text = _own_words(source, name)
        entry = Entry(site.container, "dict", name, repr(text), GROUP)
        yield source.finding(
            "missing-description", name, f"{name} has no entry in {site.container}",
            f"describe it in {site.file}", supported.file, line,
            (site.file, partial(add, path=site.file, entry=entry)) if text else None,
        )  # fmt: skip


def _own_words(source: Source, architecture: str) -> str:
    """What the docstring of the adapter says of the models; empty if that is only their name."""
    wanted = source.catalogue.adapters.get(architecture)
    cls = next((cls for _, cls in source.adapters if cls.name == wanted), None)
    text = (ast.get_docstring(cls.node) or "").split("\n\n")[0] if cls else ""
    sentence = " ".join(text.split()).split(". ")[0].rstrip(".").replace("``", "")
    for opening in ("Architecture adapter for ", "Adapter for ", "Wraps HF's "):
        sentence = sentence.removeprefix(opening)
    words = set(sentence.replace("(", " ").replace(")", " ").split())
    return sentence if words - set(source.catalogue.adapters) - {"models", "model"} else ""


def _classes(
    source: Source, site: RegistrationSite, factory: list[tuple[str, ast.expr | None, int]]
) -> Iterator[Finding]:
    module = source.library.module(site.file.removesuffix(".py").replace("/", "."))
    registered: set[str] = set()
    for name, value, line in factory:
        text = ast.unparse(value) if value is not None else ""
        cls = source.library.find(module, text) if module is not None else None
        registered.add(cls.name if cls is not None else text)
        bases = [base.name for base in source.library.mro(cls)] if cls is not None else []
        if _BASE in bases[1:]:
            continue
        why = "derives from no ArchitectureAdapter" if cls else "is no class that can be found"
        yield source.finding(
            "wrong-class", name, f"{name} is registered with {text}, which {why}",
            "import the adapter class, or register another one", site.file, line,
        )  # fmt: skip
    derived_from = {base.name for _, cls in source.adapters for base in source.library.mro(cls)[1:]}
    for path, cls in source.adapters:
        if cls.name not in registered | derived_from:
            message = f"{cls.name} is registered for no architecture"
            hint = f"add it to {FACTORY} in {site.file}, or delete it"
            line = cls.node.lineno
            yield source.finding("never-registered", cls.name, message, hint, path, line)


def _exports(source: Source, site: RegistrationSite | None) -> Iterator[Finding]:
    """The package of the adapters: what it imports, what it exports, what there is."""
    if site is None:
        return
    imported = {
        alias.asname or alias.name: (node.module or "", alias.lineno)
        for node in source.tree(site.file).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    exported = {name: line for name, _, line in entries(source.tree(site.file), "__all__")}
    for name, line in exported.items():
        if name not in imported:
            message = f"{name} is in __all__ and is not imported"
            yield source.finding(
                "wrong-class", name, message, "import it, or remove it", site.file, line
            )
    for name, (_, line) in imported.items():
        if name not in exported:
            entry = Entry("__all__", "list", name)
            mend = (site.file, partial(add, path=site.file, entry=entry))
            message = f"{name} is imported and not in __all__"
            yield source.finding(
                "missing-entry", name, message, "add it to __all__", site.file, line, mend
            )
    registered = set(source.catalogue.adapters.values())
    for path, cls in source.adapters:
        if cls.name in registered and cls.name not in imported:
            module = path.removesuffix(".py").replace("/", ".")
            mend = (site.file, partial(add_import, path=site.file, module=module, name=cls.name))
            message = f"{cls.name} is not imported in the package of the adapters"
            hint = f"import it in {site.file}"
            line = cls.node.lineno
            yield source.finding("missing-entry", cls.name, message, hint, path, line, mend)
