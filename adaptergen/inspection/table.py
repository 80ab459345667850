"""The facts of a model as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from adaptergen.facts import SCENARIOS, Branch, Call, Facts, Module, Value

_WIDE = 100


def table(facts: Facts) -> str:
    """Config, kinds of layer, calls, functional use and cache; the branches one line each."""
    return "\n".join((*_head(facts), *_branch(facts.branches[0]), *_others(facts)))


def _head(facts: Facts) -> Iterator[str]:
    config = facts.config
    yield f"{facts.architecture}, transformers {facts.transformers}"
    yield f"  {facts.cls}"
    yield ""
    yield f"config {config.cls.rpartition('.')[2]}: {len(config.fields)} fields"
    yield from _listed("None by default", config.none)
    yield from _listed("other names", (f"{a} = {b}" for a, b in config.aliases.items()))
    yield from _listed("older names", (f"{a} -> {b or '?'}" for a, b in config.older.items()))
    if config.vocabulary:
        words = config.vocabulary
        yield from _listed(words.field, words.words)
        yield from _listed("older words", (f"{a} -> {b}" for a, b in words.older.items()))
    default = facts.attention.default
    supported = (f"{n} (default)" if n == default else n for n in facts.attention.supported)
    yield from _listed("attention", supported)


def _branch(branch: Branch) -> Iterator[str]:
    for kind in branch.kinds:
        layers = ", ".join(map(str, kind.layers))
        yield f"\n{branch.layers_path}.*  {kind.name}, as layer {layers} of the tiny model"
        yield from _modules(branch, kind.modules, kind.name)
    yield "\noutside the layers"
    yield from _modules(branch, branch.modules, "")
    for group in branch.tied:
        yield f"  tied: {' = '.join(group)}"
    yield "\nused without a call"
    for use in branch.functional:
        where = f"{use.kind}: " if use.kind else ""
        when = "" if len(use.scenarios) == len(SCENARIOS) else f" in {', '.join(use.scenarios)}"
        yield f"  {where}{use.parameter}{when}"
        yield f"    by {use.function} ({use.file}:{use.line})"
    if not branch.functional:
        yield "  nothing"
    yield from _listed("used by nothing", branch.unused)
    cache = branch.cache
    yield f"\ncache {cache.cls or cache.error or 'none'}"
    for layer in cache.layers:
        states = ", ".join(f"{n} [{', '.join(shape)}]" for n, shape in layer.states.items())
        yield f"  {layer.kind}: {layer.cls.rpartition('.')[2]} {states}".rstrip()
    for scenario in SCENARIOS:
        trace = branch.traces.get(scenario)
        if trace and trace.error:
            yield f"\n{scenario} raised {trace.error}"


def _modules(branch: Branch, modules: Sequence[Module], kind: str) -> Iterator[str]:
    calls = _calls(branch, kind)
    dead = {use.module for use in branch.functional if use.kind == kind}
    for module in modules:
        depth = module.path.count(".") + 1 if module.path else 0
        name = module.path.rpartition(".")[2] or "(layer)"
        about = [module.cls.rpartition(".")[2] or "absent"]
        about += [f"{n} [{_axes(p.shape, p.sizes)}]" for n, p in module.parameters.items()]
        yield f"  {'  ' * depth}{name}: {', '.join(about)}"
        call = calls.get(module.path)
        indent = "  " * (depth + 3)
        if call is not None:
            takes = ", ".join(f"{name} {_value(value)}" for name, value in call.takes.items())
            yield f"{indent}{takes} -> {_value(call.returns)}"
        elif module.path in dead:
            yield f"{indent}never called; used by a function"


def _calls(branch: Branch, kind: str) -> dict[str, Call]:
    """Of each path the call in the first scenario that has one."""
    found: dict[str, Call] = {}
    for scenario in SCENARIOS:
        trace = branch.traces.get(scenario)
        if trace:
            for call in trace.inside.get(kind, ()) if kind else trace.outside:
                found.setdefault(call.path, call)
    return found


def _others(facts: Facts) -> Iterator[str]:
    default = _rows(facts.branches[0])
    for branch in facts.branches[1:]:
        yield f"\nbranch {branch.name}"
        if branch.error:
            yield f"  {branch.error}"
            continue
        here = _rows(branch)
        for title, rows in (("more", here - default), ("less", default - here)):
            yield from _listed(title, (" ".join(row).rstrip() for row in sorted(rows)))
        for group in sorted(set(branch.tied) ^ set(facts.branches[0].tied)):
            yield f"  {'tied' if group in branch.tied else 'not tied'}: {' = '.join(group)}"


def _rows(branch: Branch) -> set[tuple[str, str, str]]:
    """Path, class and shapes of each module."""
    modules = [("", module) for module in branch.modules]
    modules += [(f"{k.word or 'layer'}:", module) for k in branch.kinds for module in k.modules]
    return {
        (
            f"{kind}{module.path}",
            module.cls.rpartition(".")[2] or "(absent)",
            ", ".join(f"{n} {list(p.shape)}" for n, p in module.parameters.items()),
        )
        for kind, module in modules
    }


def _axes(shape: Sequence[int], sizes: Sequence[Sequence[str]]) -> str:
    named = zip(shape, sizes or ((),) * len(shape), strict=True)
    return ", ".join(names[0] if names else str(size) for size, names in named)


def _value(value: Value) -> str:
    if value.type == "tensor":
        return f"[{', '.join(value.shape)}]"
    if value.type in ("tuple", "list"):
        return f"({', '.join(_value(item) for item in value.items)})"
    if value.type in ("dict", "output"):
        return "{" + ", ".join(f"{key} {_value(item)}" for key, item in value.keys.items()) + "}"
    return value.cls.rpartition(".")[2] or value.type.replace("none", "None")


def _listed(title: str, items: Iterable[str]) -> Iterator[str]:
    """A title and its items, wrapped; nothing for no items."""
    line = f"  {title}:"
    found = list(items)
    for index, item in enumerate(found):
        part = f" {item}{',' if index < len(found) - 1 else ''}"
        if len(line) + len(part) > _WIDE:
            yield line
            line = "   "
        line += part
    if found:
        yield line
