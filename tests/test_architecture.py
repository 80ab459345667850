"""Which part of adaptergen may import which, and where heavy or hidden dependencies may be."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.version import Version

from adaptergen.behaviours import with_components
from adaptergen.catalogue import store as catalogues
from adaptergen.lock.store import Lock, read_lock

PACKAGE = Path(__file__).parents[1] / "adaptergen"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: From the bottom to the top: a part imports from rows above its own in this list, and from itself.
ROWS = (
    {"contract", "prose", "resources"},
    {"error_codes"},
    {"problems"},
    {"guard"},
    {"emit", "facts", "isolated", "source", "catalogue", "output", "edit"},
    {"behaviours", "records", "runtime", "spec"},
    {"coverage", "plan"},
    {"render", "lock"},
    {"generate", "drift", "inspection", "schemas"},
    {"docs", "plugin", "verify", "audit"},
    {"export", "observe"},
    {"draft"},
    {"survey"},
    {"cli"},
    {"__main__"},
)
ROW = {part: number for number, row in enumerate(ROWS) for part in row}

HEAVY = {"accelerate", "torch", "transformers", "transformer_lens"}
HEAVY_MAY_BE_IN = (
    "catalogue/observe", "draft/", "inspection/", "observe/", "survey/", "verify/",
)  # fmt: skip
#: Of the contract, what is imported without models.
LIGHT = ("contract/__init__", "contract/findings", "contract/tables", "contract/testcase")

#: What a build copies to where adaptergen is not installed.
SHIPPED = [
    *(PACKAGE / "contract").glob("*.py"),
    *(path for path in (PACKAGE / "runtime").glob("*.py") if path.stem != "__init__"),
    *(PACKAGE / "behaviours").glob("*/runtime.py"),
    *(PACKAGE / "behaviours").glob("*/contract.py"),
]

MAX_LINES = 500
FIX = "see ROWS in tests/test_architecture.py"


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def part_of(path: Path) -> str:
    """The part a module belongs to: a package or a module directly in adaptergen."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(tree: ast.AST) -> Iterator[str]:
    """The dotted name of everything that is imported anywhere in a tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                continue  # The contract's own, which it may have under another name.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_start(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs when the module is imported: nothing in functions, nothing for type checkers."""
    waiting: list[ast.AST] = list(tree.body)
    for node in waiting:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_every_part_has_its_row() -> None:
    assert {part_of(path) for path in MODULES} - {"__init__"} <= set(ROW), FIX


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down(path: Path) -> None:
    own = part_of(path)
    modules = {
        f"{'.' * node.level}{node.module or ''}"
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom) and node.level
    }
    # Where they ship, the contract has another name, and the checks of behaviours stand in it.
    allowed = r"\.\w*" if own == "contract" else r"\.\.\.contract\.\w+"
    may = own == "contract" or (path.name == "contract.py" and path in SHIPPED)
    others = {module for module in modules if not (may and re.fullmatch(allowed, module))}
    assert not others, "imports are absolute"
    if own == "__init__":
        assert not [name for node in at_start(parse(path)) for name in imports(node)][1:]
        return
    for name in imports(parse(path)):
        top, _, rest = name.partition(".")
        part = rest.partition(".")[0]
        if top != "adaptergen" or part in (own, "__version__"):
            continue
        assert part in ROW and ROW[part] < ROW[own], f"{own} may not import {part}: {FIX}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_heavy_is_imported_at_the_start(path: Path) -> None:
    if name_of(path).startswith(HEAVY_MAY_BE_IN) and not name_of(path).startswith(LIGHT):
        return
    if path in SHIPPED and not name_of(path).startswith(LIGHT):
        return
    started = {
        name.partition(".")[0]
        for node in at_start(parse(path))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in imports(node)
    }
    assert not started & HEAVY


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_are_found_by_one_module(path: Path) -> None:
    if name_of(path) == "resources.py" or path in SHIPPED:
        return
    tree = parse(path)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert "__file__" not in names, "adaptergen.resources knows where files are"
    loaders = ("importlib.resources", "importlib_resources", "pkgutil", "pkg_resources")
    assert not [name for name in imports(tree) if name.startswith(loaders)]


#: What starts a process; where it may stand, and for which of them.
STARTS = re.compile(
    r"(subprocess|multiprocessing|concurrent\.futures|runpy|pty|_posixsubprocess|asyncio)\b"
    r"|os\.(system|popen|exec\w+|spawn\w+|posix_spawn\w*|fork\w*|startfile)$|sys\.executable$"
)
MAY_START = {
    # Python, without what lies in a folder.
    "isolated.py": {"subprocess", "sys.executable"},
    "export/checkout.py": {"subprocess"},
    # Copies of this process, which import nothing anew: see the next test.
    "inspection/fault_isolation.py": {"multiprocessing"},
    "observe/commands.py": {"multiprocessing", "concurrent.futures"},
}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_python_is_started_by_one_module(path: Path) -> None:
    tree = parse(path)
    used = {
        *imports(tree),
        *(ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)),
    }
    found = {match.group(1) or name for name in used if (match := STARTS.match(name))}
    assert found <= MAY_START.get(name_of(path), set()), "adaptergen.isolated starts Python"


@pytest.mark.parametrize(
    "name", [name for name in MAY_START if "multiprocessing" in MAY_START[name]]
)
def test_other_processes_are_forked(name: str) -> None:
    calls = [node for node in ast.walk(parse(PACKAGE / name)) if isinstance(node, ast.Call)]
    of = {ast.unparse(call) for call in calls if "multiprocessing" in ast.unparse(call.func)}
    assert of == {"multiprocessing.get_context('fork')"}
    pools = [call for call in calls if ast.unparse(call.func).endswith("ProcessPoolExecutor")]
    assert all(ast.unparse(call.args[1]) in of for call in pools)


@pytest.mark.parametrize("path", sorted(SHIPPED), ids=name_of)
def test_what_ships_needs_nothing_of_adaptergen(path: Path) -> None:
    assert "adaptergen" not in {name.partition(".")[0] for name in imports(parse(path))}


def test_modules_are_small() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    assert not {name for name, length in lengths.items() if length > MAX_LINES}


#: What is the same for all architectures.
NEUTRAL = [
    *(path for path in MODULES if part_of(path) in ("render", "verify", "lock", "cli")),
    *sorted((PACKAGE.parent / "templates").rglob("*.jinja")),
]
#: Where facts about architectures belong, and may be imported from.
SPECIFIC = ("adaptergen.behaviours", "adaptergen.runtime", "adaptergen.contract")
WORD = re.compile(r"[A-Za-z_]\w*|(?<![\w.])\d+(?:\.\d+)+")
WHERE = "move it to a spec, a shape, a behaviour's language.py, or the catalogue"


def words_of(path: Path) -> set[str]:
    """The words of a file, comments included, and of the values that it imports."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return set(WORD.findall(text))
    tree = parse(path)
    imported = (one.rpartition(".")[::2] for one in imports(tree))
    values = [
        ast.unparse(value)
        for module, name in imported
        if module.startswith("adaptergen.") and not module.startswith(SPECIFIC)
        for value in values_of(module, name)
    ]
    for value in values_of_tree(tree, "EXAMPLES") if part_of(path) == "cli" else ():
        # What `--help` shows.
        text = text.replace(ast.get_source_segment(text, value) or "", "")
    return {word for part in (text, *values) for word in WORD.findall(part)}


def values_of(module: str, name: str) -> list[ast.expr]:
    path = PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
    return values_of_tree(parse(path), name) if path.is_file() else []


def values_of_tree(tree: ast.Module, name: str) -> list[ast.expr]:
    """What a module gives a name at its top."""
    found: list[ast.expr] = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and name in map(ast.unparse, node.targets):
            found.append(node.value)
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name and node.value:
            found.append(node.value)
    return found


@functools.cache
def locks() -> list[Lock]:
    specs = PACKAGE.parent / "specs"
    return [read_lock(path, path.name) for path in sorted(specs.glob("*.lock.json"))]


@functools.cache
def tl_words() -> set[str]:
    """Component classes, their hooks and aliases, and the hooks of adapters."""
    words: set[str] = set()
    for version in catalogues.committed_versions():
        for component in with_components(catalogues.load(version)[0]).components.values():
            words |= {component.name, *component.hook_aliases}
            words |= {hook.name for hook in component.hooks}
    for entry in (entry for lock in locks() for entry in lock.entries.values()):
        words |= {name.rpartition(".")[2] for hooks in entry.hooks.values() for name in hooks}
    return words


@functools.cache
def releases() -> set[str]:
    """Those of catalogues and locks, with and without the last number."""
    named = (one for lock in locks() for name in lock.releases for one in name.split("/"))
    found = {*catalogues.committed_versions(), *named}
    return found | {".".join(map(str, Version(one).release[:2])) for one in found}


@pytest.mark.parametrize("words", [tl_words, releases])
@pytest.mark.parametrize("path", NEUTRAL, ids=lambda path: path.name)
def test_no_fact_of_transformer_lens(path: Path, words: Callable[[], set[str]]) -> None:
    found = words_of(path) & words()
    assert not found, WHERE


@pytest.mark.heavy
def test_no_fact_of_transformers() -> None:
    """Neither a class of the auto mapping nor a field that some configs of the locks lack."""
    from transformers import AutoConfig
    from transformers.models.auto import configuration_auto, modeling_auto

    mappings = [configuration_auto.CONFIG_MAPPING_NAMES]
    mappings += [getattr(modeling_auto, n) for n in dir(modeling_auto) if n.endswith("_NAMES")]
    values = [value for mapping in mappings for value in mapping.values()]
    words = {name for value in values for name in ([value] if isinstance(value, str) else value)}
    configs = [lock.entries[lock.newest].model.config.rpartition(".")[2] for lock in locks()]
    kinds = configuration_auto.CONFIG_MAPPING_NAMES.items()
    made = [AutoConfig.for_model(kind) for kind, name in kinds if name in configs]
    assert len(made) == len(configs)
    entries = [entry for lock in locks() for entry in lock.entries.values()]
    fields = {field for entry in entries for field in (*entry.model.fields, *entry.config)}
    # A field whose name is one English word, such as `expand`, would be found in any text.
    fields = {field for field in fields if not field.isalpha()}
    words |= {field for field in fields if not all(hasattr(config, field) for config in made)}
    found = {path.name: words_of(path) & words for path in NEUTRAL}
    assert not {name: said for name, said in found.items() if said}, WHERE
