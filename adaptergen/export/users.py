"""Who else imports what an adapter's module has: from it, from its package, by any name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from adaptergen import guard
from adaptergen.edit.text import read
from adaptergen.export.draft import Draft
from adaptergen.plan.model import Plan
from adaptergen.problems import Failed, Problem, SourceLocation, listing

_FOLDER = "transformer_lens/model_bridge/supported_architectures"
_PACKAGE = _FOLDER.replace("/", ".")


@dataclass(frozen=True)
class _Import:
    """The full name of what is imported, and what it is called in the file."""

    target: str
    bound: str
    line: int


def users_of(
    draft: Draft,
    plan: Plan,
    names: frozenset[str],
    goes: frozenset[str],
    files: Mapping[str, bytes],
) -> tuple[str, ...]:
    """Who imports from the module, which binds `names`.

    `Failed` if a file that stays needs one that goes, or derives from one.
    """
    module = f"{_PACKAGE}.{plan.spec.module}"
    users: dict[str, None] = {}
    problems = []
    root = draft.checkout.root
    words = "|".join(sorted({plan.spec.module, *names}))
    named = re.compile(rf"\b(?:{words})\b".encode())
    paths = [
        path for folder in ("transformer_lens", "tests") for path in (root / folder).rglob("*.py")
    ]
    for path in sorted(paths):
        shown, text = path.relative_to(root).as_posix(), guard.read(path, small=False, within=root)
        inside = path.parent == root / _FOLDER
        if shown in files or not (inside or b"supported_architectures" in text):
            continue
        if not named.search(text):
            continue
        tree = read(text, shown).tree()
        imports = list(_imports(tree, shown, names))
        # Registries import the adapter to name it; an export sees to them.
        if path.name != "__init__.py" and shown not in draft.checkout.edited:
            for one in imports:
                of_it = f"{one.target}.".startswith(f"{module}.")
                if of_it or _name(one.target, module) in names:
                    users[f"{shown}:{one.line}"] = None
        used: dict[int, set[str]] = {}
        for line, name in _needed(tree, imports, module, names, goes):
            used.setdefault(line, set()).add(name)
        problems += [_in_use(shown, line, used[line], module) for line in sorted(used)]
    if problems:
        raise Failed(problems)
    return tuple(users)


def _name(full: str, module: str) -> str:
    """What is called by its full name, if it may be of the module: its package hands it on."""
    for place in (module, _PACKAGE):
        name = full.removeprefix(f"{place}.")
        if name != full and "." not in name:
            return name
    return ""


def _needed(
    tree: ast.Module, imports: Iterable[_Import], module: str, names: frozenset[str],
    goes: frozenset[str],
) -> Iterator[tuple[int, str]]:  # fmt: skip
    """Names that go or are derived from, each with the line of the import that it came by."""
    bases = {base for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
             for base in node.bases}  # fmt: skip
    # Each once, though the parts of a dotted name are names too.
    spoken = {(ast.unparse(node), node in bases) for node in ast.walk(tree)
              if isinstance(node, ast.Name | ast.Attribute)}  # fmt: skip
    for one in imports:
        if _name(one.target, module) in goes:
            yield one.line, _name(one.target, module)
        for text, derived in spoken:
            if text != one.bound and not text.startswith(f"{one.bound}."):
                continue
            name = _name(one.target + text[len(one.bound) :], module)
            # Who derives from the old class may count on anything that it has.
            if name in goes or (derived and name in names):
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
                # What comes with a star and is not used can go.
                said = {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)}
                for name in sorted(names & said):
                    yield _Import(f"{source}.{name}", name, node.lineno)


def _in_use(path: str, line: int, used: Iterable[str], module: str) -> Problem:
    return Problem(
        "adapter-in-use",
        f"{listing(sorted(used))} of `{module}` is used here, and goes with the old adapter",
        "move it to a module of its own first; then replace the adapter",
        SourceLocation(path, line),
    )
