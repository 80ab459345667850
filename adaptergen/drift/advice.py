"""What to do about a change, and the line of the spec or shape that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from adaptergen.drift.finding import Finding
from adaptergen.drift.words import last, names
from adaptergen.lock.declared import (
    declared_state,
    fires,
    hook_rows_of,
    nodes_of,
    observed_state,
    outer_paths,
)
from adaptergen.lock.entry import OUTSIDE, Entry
from adaptergen.plan.model import Plan
from adaptergen.plan.node import Node
from adaptergen.problems import Loc
from adaptergen.source.source import Source

_NOTHING = "nothing to do: "
_VERIFY = "run `adaptergen verify`, which compares the adapter with HF"


@dataclass(frozen=True)
class Advice:
    """A spec, and what the newer release is."""

    plan: Plan
    source: Source
    new: Entry
    transformers: str

    def on(self, finding: Finding) -> Finding:
        """The finding with its place in the spec, and with what mends it."""
        if finding.code.startswith("hook-") or (finding.code == "values" and finding.paths):
            return self._on_hooks(finding)
        node = self._node(finding)
        if node is not None:
            place = node.written.at("component") if finding.code == "argument-renamed" else None
            file, line = (place.source.path, place.line) if place else (node.file, node.line)
            return replace(finding, file=file, line=line, mend=self._module(finding, node))
        loc, mend = self._of_spec(finding)
        if not loc:
            return replace(finding, mend=mend)
        line = self.source.place(loc, key=True).line
        return replace(finding, file=self.source.path, line=line, mend=mend)

    def _node(self, finding: Finding) -> Node | None:
        if not finding.paths or finding.code.startswith(("cache-", "kind-", "field-")):
            return None
        path = finding.paths[0]
        # What is new has no component: what is around it has.
        paths = outer_paths(path) if finding.code == "path-new" else [path]
        found = (nodes_of(self.plan, kind).get(name) for kind in finding.kinds for name in paths)
        return next((node for node in found if node is not None), None)

    def _module(self, finding: Finding, node: Node) -> str:
        if finding.code == "argument-renamed":
            return self._argument(finding, node)
        if finding.code == "path-renamed":
            return f"write `path: {finding.paths[1].rpartition('.')[2]}` here"
        if finding.code in ("path-gone", "absent") and finding.severity == "breaking":
            return f"look up where {last(finding.hf)} is now, and mend `path:` here"
        if finding.code in ("functional", "called"):
            if node.is_tapped and self._fires(finding):
                return f"{_NOTHING}taps of the component around this one fire the hooks"
            if finding.code == "functional":
                verb = "change" if node.is_tapped else "add"
                return f"{verb} `taps:` of the component around it, for its hooks"
        if finding.code == "path-new" and finding.severity != "benign":
            return self._component(finding)
        if finding.severity == "benign":
            return ""
        return f"see what the hooks of `{node.key}` hold now: {_VERIFY}"

    def _component(self, finding: Finding) -> str:
        """For a module that is new: what to add to the component around it."""
        path, kinds = finding.paths[0], finding.kinds
        nodes = {name for kind in kinds for name in nodes_of(self.plan, kind)}
        outer = next((name for name in outer_paths(path) if name in nodes), "")
        return f"add a component with `path: {path.removeprefix(f'{outer}.')}` and a shape here"

    def _fires(self, finding: Finding) -> bool:
        """Whether hooks of the component that a finding is about fire in the newer release."""
        return any(
            fires(self.new.hooks.get(kind, {}), module.component)
            for kind in finding.kinds
            if (module := self.new.modules.get(kind, {}).get(finding.paths[0]))
        )

    def _argument(self, finding: Finding, node: Node) -> str:
        _, old, new = finding.paths
        if finding.severity == "benign":
            return ""
        return f"{node.bridge} may read `{old}`, which is `{new}` now: {_VERIFY}"

    def _on_hooks(self, finding: Finding) -> Finding:
        if not finding.kinds or not finding.paths:
            return finding
        kind, name = finding.kinds[0], finding.paths[0]
        row = hook_rows_of(self.plan, kind).get(name)
        finding = replace(finding, hf=finding.hf or self._class_around(kind, name))
        if row is None:
            return replace(finding, mend="the spec does not describe it: run `adaptergen lock`")
        mend = ""
        if finding.code == "values":
            mend = f"see what {last(finding.hf) or 'HF'} computes now; {_VERIFY}"
        elif finding.code in ("hook-shape", "hook-type"):
            mend = "mend `shape:` here"
        elif finding.severity != "benign":
            observed = self.new.hooks.get(kind, {}).get(name)
            wanted = observed_state(observed) if observed else "absent"
            stated = declared_state(row.contract, self.transformers)
            if stated == wanted:
                rule = (
                    f"`is: {row.contract.state}`"
                    if row.contract
                    else "no exception is stated, and it"
                )
                verb = "holds there in the releases it names" if row.contract else "is live"
                mend = f"{_NOTHING}{rule} {verb}"
            elif wanted == "live":
                mend = f'end the contract here: `transformers: "<{self.transformers}"`'
            else:
                rule = f'{{is: {wanted}, transformers: ">={self.transformers}", reason: ...}}'
                mend = f"add `contract: {rule}` here"
        return replace(finding, file=row.file, line=row.line, mend=mend)

    def _class_around(self, kind: str, hook: str) -> str:
        """The HF class of the component that a hook is on, or of what is around it."""
        by_component = {
            m.component: m.cls for m in self.new.modules.get(kind, {}).values() if m.cls
        }
        name = hook.rpartition(".")[0]
        if hook.endswith(".hook_in"):
            # What comes in is computed by what is around.
            name = name.rpartition(".")[0]
        while name and name not in by_component:
            name = name.rpartition(".")[0]
        return by_component.get(name, "")

    def _of_spec(self, finding: Finding) -> tuple[Loc, str]:
        """For what is of no component: a place, and what to do."""
        code, kind = finding.code, (finding.kinds or ("",))[0]
        if code.startswith("kind-"):
            return ("blocks", "kinds", kind), self._kind(finding, kind)
        if code.startswith("cache-") and code != "cache-class":
            mend = f"cached generation may differ: {_VERIFY}"
            return ("blocks", "kinds", kind), "" if finding.severity == "benign" else mend
        if code == "generation":
            return (
                "cache",
            ), "wait for a release of transformers in which it does not, or name an older"
        if code == "cache-class":
            return ("cache",), "mend `cache:` here"
        if code == "class":
            return ("architecture",), f"write `architecture: {last(finding.hf)}` here"
        if code in ("field-gone", "cfg"):
            name = finding.paths[0].removeprefix("cfg.")
            loc = next(self._places(name), ())
            if code == "field-gone":
                return loc, "look up what the field is called now, and mend it here"
            return (
                loc,
                "see whether HF gives the value elsewhere, and carry it over in config.from_hf",
            )
        if code == "path-new" and finding.severity != "benign":
            loc = ("components",) if finding.kinds == (OUTSIDE,) else ("blocks",)
            return loc, self._component(finding)
        if code == "raises":
            return (
                "architecture",
            ), "see what the other findings name, or wait for a release that mends it"
        if code == "logits":
            return ("architecture",), f"see what HF computes now; {_VERIFY}"
        if code == "not-run":
            others = "mend what the other findings name"
            return ("architecture",), f"{others}; `adaptergen verify` says where it begins"
        if finding.severity == "benign":
            return (), ""
        return ("architecture",), _VERIFY

    def _kind(self, finding: Finding, kind: str) -> str:
        if finding.code == "kind-renamed":
            found = next((k for k in self.plan.kinds if k.name == kind), None)
            known = {kind, *(found.formerly if found else ())}
            if found and finding.paths[0] in known:
                return f"{_NOTHING}the kind has {names(sorted(known))} for names"
            return f"put `{finding.paths[0]}` into `formerly` of this kind"
        if finding.code == "kind-new":
            return f"describe `{kind}` below blocks.kinds, or name it in `formerly` of a kind"
        return _VERIFY

    def _places(self, name: str) -> Iterator[Loc]:
        spec = self.plan.spec
        if name in spec.config.from_hf:
            yield "config", "from_hf", spec.config.from_hf.index(name)
        if name in spec.config.derived:
            yield "config", "derived", name
        if name in spec.tiny.config:
            yield "tiny", "config", name
        yield ("config",)
