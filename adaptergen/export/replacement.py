"""What is removed with an adapter that is replaced, item by item, and its replacements."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from adaptergen import guard
from adaptergen.catalogue.model import Catalogue
from adaptergen.edit.text import read
from adaptergen.export.checkout import REGISTRY_TEST, REGISTRY_TEST_CLASS, Draft
from adaptergen.export.old_adapter import OldAdapter, read_old
from adaptergen.isolated import run_isolated
from adaptergen.plan.model import HookRow, Plan, absent_hooks, layer_tables
from adaptergen.problems import Failed, Problem, SourceLocation, every, listing
from adaptergen.prose import markdown

_NOTHING = "nothing"

_NEEDED = ("torch", "transformers")
_TIMEOUT = 300

_FOLDER = "transformer_lens/model_bridge/supported_architectures"
_PACKAGE = _FOLDER.replace("/", ".")

#: What tests ask of a bridge, its cache and its adapter, and of the registries.
_ASKED = frozenset({
    "ArchitectureAdapterFactory", "CANONICAL_AUTHORS_BY_ARCH", "HF_SUPPORTED_ARCHITECTURES",
    "SUPPORTED_ARCHITECTURES", "compute_ssm_effective_attention", "compute_ssm_state",
    "create_stateful_cache", "generate", "logits", "run_with_cache", "run_with_hooks",
    "ssm_layers", "state_dict", "to_tokens",
})  # fmt: skip
#: How an adapter is read at all, and keys that are short words: they say nothing of a test.
_EVERYWHERE = frozenset({"component_mapping", "in", "out", "q", "k", "v", "o"})
_WORD = re.compile(r"\w+")
_SHOWN = 2


def replaced(
    draft: Draft, spec: Path, plan: Plan, files: Mapping[str, bytes], olds: Mapping[str, bytes],
    catalogue: Catalogue,
) -> tuple[str, ...]:  # fmt: skip
    """Compare the old files with those that take their place: a report, one item a line.

    `Failed` if other files need the old ones. What the source of the old adapter does not show is
    observed by running the adapter, where that can be done.
    """
    # Before anything is compared: all that stands in the way is reported at once.
    trees = dict(zip(olds, every(lambda path: _tree(olds[path], path), olds), strict=True))
    module = next(iter(files))
    removed: list[str] = []
    others: list[str] = []
    if module in olds:
        old = read_old(trees[module], plan.adapter_class, catalogue)
        new = read_old(_tree(files[module], module), plan.adapter_class, catalogue)
        users = _users(draft, plan, old.names, old.names - new.names, files)
        root = draft.checkout.root
        seen, failed = _observe(root, spec, olds[module]) if old.unread else ({}, "")
        removed += _hooks(plan, old, seen)
        before = {**seen.get("settings", {}), **old.settings}
        after = {**seen.get("instead", {}), **new.settings}
        removed += _settings(plan, before, after, catalogue)
        for name in sorted(old.members - new.members):
            base = name in catalogue.adapter_attributes
            removed.append(
                _removed("member", name, "what the base class has" if base else _NOTHING)
            )
        removed += [_removed("name", name, _NOTHING) for name in sorted(old.names - new.names)]
        how = f"not observed either, {failed}" if failed else "observed by running it"
        others = [f"not clear from the old source, {how}: {what}" for what in old.unread]
        others += [f"uses the new adapter from now on: {user}" for user in users]
    tests = {path: tree for path, tree in trees.items() if path != module}
    removed += _tests(draft, plan, tests, files, catalogue)
    return (*(f"replaced: {path}" for path in olds), *removed, *others)


def _removed(what: str, name: str, replacement: str) -> str:
    return f"removed: {what} {name} -> {replacement}"


def _tree(data: bytes, path: str) -> ast.Module:
    return read(data, path).tree()


def _observe(root: Path, spec: Path, source: bytes) -> tuple[dict[str, Any], str]:
    """Run the adapter in `source` and that of the spec with the TransformerLens at `root`.

    Hooks and aliases that the new adapter lacks (`model`, and `layers` by kind), attributes of cfg
    that it sets otherwise (`settings`), and what it sets them to (`instead`); or nothing, and why.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        return {}, f"{', '.join(missing)} not installed"
    try:
        ran = run_isolated(
            "adaptergen.verify.old_adapter", [spec.absolute()], _TIMEOUT,
            packages={"transformer_lens": root}, stdin=source, env={"HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
    except TimeoutError:
        return {}, f"it took more than {_TIMEOUT // 60} minutes to run"
    if ran.returncode:
        said = ran.stderr.strip().splitlines()
        return {}, f"it does not run here: {said[-1] if said else 'no message'}"
    return json.loads(ran.stdout.splitlines()[-1]), ""


def _hooks(plan: Plan, old: OldAdapter, seen: Mapping[str, Any]) -> Iterator[str]:
    offered = _names(plan.model_hooks)
    for name in sorted({*old.model_hooks.keys() - offered, *seen.get("model", ())}):
        yield _removed("hook", f"`{name}`", _renamed(name, offered) or _NOTHING)
    titles: dict[tuple[str, str], list[str]] = {}
    for name, rows in layer_tables(plan):
        offered = _names(rows)
        missing = seen.get("layers", {}).get(name, ())
        for hook in sorted({*old.layer_hooks.keys() - offered, *missing}):
            replacement = _hook_replacement(hook, offered, plan, name, old)
            titles.setdefault((hook, replacement), []).append(f"{name} layers")
    for (hook, replacement), of in titles.items():
        on = "layers" if len(of) == len(layer_tables(plan)) else ", ".join(of)
        yield _removed(f"hook on {on}", f"`{hook}`", replacement)


def _hook_replacement(hook: str, offered: Set[str], plan: Plan, layer: str, old: OldAdapter) -> str:
    """What replaces a hook of a layer; of layers of a kind, the spec and its shapes may say it."""
    if plan.kinds:
        gone, absent = plan.spec.replaces, dict(absent_hooks(plan.bound_in(layer)))
        if hook in gone:
            return f"`{gone[hook]}`" if gone[hook] else "nothing: no module of this kind does that"
        if hook in absent:
            return f"nothing: {markdown(absent[hook])}"
        for kind in plan.kinds_of(layer):
            in_slot = f"{kind.slot}.{hook.partition('.')[2]}"
            if "." in hook and in_slot in offered:
                return f"`{in_slot}`"
    if old.layer_hooks.get(hook):
        return "nothing; it was there only where Hugging Face has the module"
    return _renamed(hook, offered) or _NOTHING


def _renamed(name: str, offered: Iterable[str]) -> str:
    """The one hook that ends alike, where the module around it only has another name."""
    tail = name.split(".", 1)[-1]
    found = [other for other in offered if "." in tail and other.split(".", 1)[-1] == tail]
    return f"`{found[0]}`" if len(found) == 1 else ""


def _names(rows: Iterable[HookRow]) -> set[str]:
    return {name for row in rows for name in (row.name, *row.aliases)}


def _settings(
    plan: Plan, old: Mapping[str, str], new: Mapping[str, str], catalogue: Catalogue
) -> Iterator[str]:
    config, kind = plan.spec.config, plan.spec.blocks.kind
    bound = {*config.from_hf, *config.derived, kind.listed_in if kind else ""}
    for name, value in sorted(old.items()):
        field = catalogue.config_fields.get(name)
        if name in bound:
            replacement = "that of the wrapped model"
        elif name in new:
            if new[name] == value:
                continue
            replacement = f"{name} = {markdown(new[name])}"
        elif field is None:
            replacement = _NOTHING
        elif field.default is not None:
            replacement = f"its default, {field.default}"
        else:
            replacement = "what Hugging Face says"
        yield _removed("config attribute", f"{name} = {value}", replacement)


#: A test, and the names of TransformerLens that it uses.
_Test = tuple[str, frozenset[str]]


def _tests(
    draft: Draft, plan: Plan, olds: Mapping[str, ast.Module], files: Mapping[str, bytes],
    catalogue: Catalogue,
) -> Iterator[str]:  # fmt: skip
    """Old tests, and the tests that stay or are new and read the same of TransformerLens."""
    known = _vocabulary(plan, catalogue)
    new = {
        path: _read_tests(_tree(data, path), known, follow=True)
        for path, data in files.items()
        if path.startswith("tests/")
    }
    registry = _tree(draft.read(REGISTRY_TEST) or b"", REGISTRY_TEST)
    staying = [
        (name, names)
        for name, names in _read_tests(registry, known, follow=True)
        if name.startswith(f"{REGISTRY_TEST_CLASS}::")
    ]
    for path, tree in olds.items():
        # Of the same file first: it runs in the same place.
        elsewhere = [test for other, tests in new.items() if other != path for test in tests]
        for name, names in _read_tests(tree, known):
            if name not in dict(new[path]):
                replacement = _test_replacement(names, [*new[path], *elsewhere, *staying])
                yield _removed("test", f"{path}::{name}", replacement)


def _vocabulary(plan: Plan, catalogue: Catalogue) -> frozenset[str]:
    """The names that TransformerLens, or the adapter, gives to something."""
    config = plan.spec.config
    names = _names((*plan.model_hooks, *plan.rows_of_layers))
    parts = {part for name in names for part in name.split(".")}
    hooks = {hook.name for one in catalogue.components.values() for hook in one.hooks}
    aliases = {alias for one in catalogue.components.values() for alias in one.hook_aliases}
    return frozenset({
        *_ASKED, *parts, *hooks, *aliases, *catalogue.components, *catalogue.config_fields,
        *catalogue.passthrough, *catalogue.adapter_attributes, *config.from_hf, *config.derived,
    }) - _EVERYWHERE  # fmt: skip


def _test_replacement(read: Set[str], others: Iterable[_Test]) -> str:
    """The tests that read most of these names, and the names that none of them reads."""
    if not read:
        return "its source names nothing by which to find one"
    ranked = sorted(others, key=lambda test: -len(test[1] & read))
    best = [(name, names & read) for name, names in ranked if names & read]
    parts = []
    if best:
        most = best[0][1]
        shown = [f"`{name}`" for name, names in best if len(names) == len(most)][:_SHOWN]
        parts.append(f"{', '.join(shown)} (read {listing(sorted(most))})")
    missed = sorted(read - {name for _, names in best for name in names})
    if missed:
        parts.append(f"no test reads {listing(missed)}")
    return "; ".join(parts)


def _read_tests(tree: ast.Module, known: Set[str], *, follow: bool = False) -> list[_Test]:
    """The tests of a file; `follow`: with the constants and helpers of the file that they use.

    Fixtures are not followed: what a test gets from them is not what it asks.
    """
    bound: dict[str, ast.AST] = {}
    for node in tree.body if follow else ():
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                bound[name] = value
            case ast.FunctionDef(name=name, decorator_list=[]):
                bound[name] = node
    return [(name, _used_names(node, bound) & known) for name, node in _test_nodes(tree)]


def _test_nodes(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in tree.body:
        inner, prefix = [node], ""
        if isinstance(node, ast.ClassDef):
            inner, prefix = node.body, f"{node.name}::"
            has_functions = any(isinstance(one, ast.FunctionDef) for one in node.body)
            # Tests of a base class, with data of its own.
            if node.name.startswith("Test") and node.bases and not has_functions:
                yield node.name, node
        for one in inner:
            if isinstance(one, ast.FunctionDef) and one.name.startswith("test"):
                yield prefix + one.name, one


def _used_names(node: ast.AST, bound: Mapping[str, ast.AST]) -> frozenset[str]:
    found: set[str] = set()
    waiting, entered = [node], set()
    while waiting:
        for name in _names_in(waiting.pop()):
            found.add(name)
            if name in bound and name not in entered:
                entered.add(name)
                waiting.append(bound[name])
    return frozenset(found)


def _names_in(node: ast.AST) -> Iterator[str]:
    docstrings: set[str] = set()
    for one in ast.walk(node):
        match one:
            case ast.Attribute(attr=name) | ast.Name(id=name):
                yield name
            case ast.Expr(value=ast.Constant(value=str(text))):
                docstrings.add(text)
            case ast.Constant(value=str(text)) if text not in docstrings:
                # Such as `blocks.0.mixer.hook_in`, or `LinearBridge in_proj`.
                yield from _WORD.findall(text)


@dataclass(frozen=True)
class _Import:
    """The full name of what is imported, and what it is called in the file."""

    target: str
    bound: str
    line: int


def _users(
    draft: Draft, plan: Plan, names: frozenset[str], gone: frozenset[str],
    files: Mapping[str, bytes],
) -> list[str]:  # fmt: skip
    """Which files import from the module, which binds `names`; as `file:line`.

    `Failed` if a file that stays needs one of `gone`, or derives from one of `names`.
    """
    module = f"{_PACKAGE}.{plan.spec.module}"
    users: dict[str, None] = {}
    problems = []
    root = draft.checkout.root
    named = re.compile(rf"\b(?:{'|'.join(sorted({plan.spec.module, *names}))})\b".encode())
    folders = ("transformer_lens", "tests")
    for path in sorted(path for folder in folders for path in (root / folder).rglob("*.py")):
        shown, text = path.relative_to(root).as_posix(), guard.read(path, small=False, within=root)
        inside = path.parent == root / _FOLDER
        if shown in files or not (inside or b"supported_architectures" in text):
            continue
        if not named.search(text):
            continue
        tree = _tree(text, shown)
        imports = list(_imports(tree, shown, names))
        # Registries import the adapter to name it; an export sees to them.
        if path.name != "__init__.py" and shown not in draft.checkout.edited:
            for one in imports:
                of_it = f"{one.target}.".startswith(f"{module}.")
                if of_it or _name_in_module(one.target, module) in names:
                    users[f"{shown}:{one.line}"] = None
        used: dict[int, set[str]] = {}
        for line, name in _needed(tree, imports, module, names, gone):
            used.setdefault(line, set()).add(name)
        problems += [
            Problem(
                "adapter-in-use",
                f"{listing(sorted(used[line]))} of `{module}` is used here, and is removed with "
                "the old adapter",
                "move it to a module of its own first; then replace the adapter",
                SourceLocation(shown, line),
            )
            for line in sorted(used)
        ]
    if problems:
        raise Failed(problems)
    return list(users)


def _name_in_module(full: str, module: str) -> str:
    """What is called by its full name, if it may be of the module: its package hands it on."""
    for place in (module, _PACKAGE):
        name = full.removeprefix(f"{place}.")
        if name != full and "." not in name:
            return name
    return ""


def _needed(
    tree: ast.Module, imports: Iterable[_Import], module: str, names: frozenset[str],
    gone: frozenset[str],
) -> Iterator[tuple[int, str]]:  # fmt: skip
    """Names of `gone`, or derived from, each with the line of the import that it came by."""
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    bases = {base for node in classes for base in node.bases}
    # Each once, though the parts of a dotted name are names too.
    mentioned = {
        (ast.unparse(node), node in bases)
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute)
    }
    for one in imports:
        if _name_in_module(one.target, module) in gone:
            yield one.line, _name_in_module(one.target, module)
        for text, derived in mentioned:
            if text != one.bound and not text.startswith(f"{one.bound}."):
                continue
            name = _name_in_module(one.target + text[len(one.bound) :], module)
            # A class that derives from the old one may count on anything that it has.
            if name in gone or (derived and name in names):
                yield one.line, name


def _imports(tree: ast.Module, path: str, names: frozenset[str]) -> Iterator[_Import]:
    package = path.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _Import(alias.name, alias.asname or alias.name, node.lineno)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                if alias.name != "*":
                    bound = alias.asname or alias.name
                    yield _Import(f"{source}.{alias.name}", bound, node.lineno)
                    continue
                yield _Import(source, "*", node.lineno)
                # A name that comes with a star and is not used may be missing.
                used = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)}
                for name in sorted(names & used):
                    yield _Import(f"{source}.{name}", name, node.lineno)
