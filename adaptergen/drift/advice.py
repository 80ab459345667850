"""The drift of a spec between two entries of its lock: every change with its place and its fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from adaptergen.drift.compare import compare
from adaptergen.drift.report import last, names
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
from adaptergen.problems import Loc, Problem
from adaptergen.records import SEVERITIES, DriftedSpec
from adaptergen.records import DriftFinding as Finding

_NOTHING = "nothing to do: "
_VERIFY = "run `adaptergen verify`, which compares the adapter with HF"

#: What to do about a release that cannot be observed, by the code of why; and the place of that.
_CANNOT_RUN: Mapping[str, tuple[Loc, str]] = {
    "hf-class": (
        ("architecture",),
        "see whether transformers has the class under another name, or needs a package more",
    ),
    "hf-config": (("tiny", "config"), "see which fields the config of this release takes"),
    "hf-forward": (
        ("blocks",),
        "`adaptergen inspect {}` shows what HF has now: change what is called otherwise, such as "
        "`path:` or `attribute:` here",
    ),
}


def drift_between(
    plan: Plan, shown_as: str, old: tuple[str, Entry], new: tuple[str, Entry]
) -> DriftedSpec:
    """What changed from one release to another, with what to do about it."""
    advice = _Advice(plan, new[1], new[0].partition("/")[0])
    findings = [advice.on(finding) for finding in compare(old[1], new[1])]
    return _drifted(plan, shown_as, old[0], new[0], *findings)


def cannot_run(
    plan: Plan, shown_as: str, old: tuple[str, Entry], new: str, why: Problem
) -> DriftedSpec:
    """The newer release cannot be observed at all."""
    loc, fix = _CANNOT_RUN[why.code]
    finding = Finding("not-run", "breaking", why.message, (OUTSIDE,), hf=old[1].model.cls)
    place, fix = plan.at(*loc), fix.format(plan.spec.architecture)
    finding = replace(finding, file=place.file, line=place.line, fix=fix)
    return _drifted(plan, shown_as, old[0], new, finding)


def _drifted(plan: Plan, shown_as: str, old: str, new: str, *findings: Finding) -> DriftedSpec:
    severities = [finding.severity for finding in findings]
    return DriftedSpec(
        module=plan.spec.module,
        spec=shown_as,
        architecture=plan.spec.architecture,
        old=old,
        new=new,
        counts={severity: severities.count(severity) for severity in SEVERITIES},
        findings=findings,
    )


@dataclass(frozen=True)
class _Advice:
    """A spec, and what the newer release is."""

    plan: Plan
    new: Entry
    transformers: str

    def on(self, finding: Finding) -> Finding:
        """The finding with its place in the spec, and with what to do about it."""
        if finding.code.startswith("hook-") or (finding.code == "values" and finding.paths):
            return self._on_hooks(finding)
        node = self._node(finding)
        if node is not None:
            renamed = finding.code == "argument-renamed"
            place = node.written.at("component") if renamed else node.where
            fix = self._for_module(finding, node)
            return replace(finding, file=place.file, line=place.line, fix=fix)
        loc, fix = self._for_spec(finding)
        if not loc:
            return replace(finding, fix=fix)
        place = self.plan.at(*loc)
        return replace(finding, file=place.file, line=place.line, fix=fix)

    def _node(self, finding: Finding) -> Node | None:
        if not finding.paths or finding.code.startswith(("cache-", "kind-", "field-")):
            return None
        path = finding.paths[0]
        # What is new has no component: what is around it has.
        paths = outer_paths(path) if finding.code == "path-new" else [path]
        found = (nodes_of(self.plan, kind).get(name) for kind in finding.kinds for name in paths)
        return next((node for node in found if node is not None), None)

    def _for_module(self, finding: Finding, node: Node) -> str:
        code, is_benign = finding.code, finding.severity == "benign"
        if code == "path-renamed":
            return f"write `path: {finding.paths[1].rpartition('.')[2]}` here"
        if code in ("functional", "called"):
            if node.is_tapped and self._fires(finding):
                return f"{_NOTHING}taps of the component around this one fire the hooks"
            if code == "functional":
                verb = "change" if node.is_tapped else "add"
                return f"{verb} `taps:` of the component around it, for its hooks"
        if is_benign:
            return ""
        if code == "argument-renamed":
            _, old, new = finding.paths
            return f"{node.bridge} may read `{old}`, which is now `{new}`: {_VERIFY}"
        if code in ("path-gone", "absent") and finding.severity == "breaking":
            return f"look up where {last(finding.hf)} is now, and change `path:` here"
        if code == "path-new":
            return self._component(finding)
        return f"see what the hooks of `{node.key}` hold now: {_VERIFY}"

    def _component(self, finding: Finding) -> str:
        """For a module that is new: what to add to the component around it."""
        path = finding.paths[0]
        nodes = {name for kind in finding.kinds for name in nodes_of(self.plan, kind)}
        outer = next((name for name in outer_paths(path) if name in nodes), "")
        return f"add a component with `path: {path.removeprefix(f'{outer}.')}` and a shape here"

    def _fires(self, finding: Finding) -> bool:
        """Whether hooks of the component that a finding is about fire in the newer release."""
        return any(
            fires(self.new.hooks.get(kind, {}), module.component)
            for kind in finding.kinds
            if (module := self.new.modules.get(kind, {}).get(finding.paths[0]))
        )

    def _on_hooks(self, finding: Finding) -> Finding:
        kind, name = finding.kinds[0], finding.paths[0]
        row = hook_rows_of(self.plan, kind).get(name)
        finding = replace(finding, hf=finding.hf or self._class_around(kind, name))
        if row is None:
            return replace(finding, fix="the spec does not describe it: run `adaptergen lock`")
        fix = ""
        if finding.code == "values":
            fix = f"see what {last(finding.hf) or 'HF'} computes now; {_VERIFY}"
        elif finding.code in ("hook-shape", "hook-type"):
            fix = "change `shape:` here"
        elif finding.severity != "benign":
            observed = self.new.hooks.get(kind, {}).get(name)
            state = observed_state(observed) if observed else "absent"
            if declared_state(row.contract, self.transformers) == state:
                fix = f"{_NOTHING}no exception is stated, and it is live"
                if row.contract:
                    rule = f"`is: {row.contract.state}`"
                    fix = f"{_NOTHING}{rule} holds there in the releases it names"
            elif state == "live":
                fix = f'end the contract here: `transformers: "<{self.transformers}"`'
            else:
                rule = f'{{is: {state}, transformers: ">={self.transformers}", reason: ...}}'
                fix = f"add `contract: {rule}` here"
        return replace(finding, file=row.where.file, line=row.where.line, fix=fix)

    def _class_around(self, kind: str, hook: str) -> str:
        """The HF class of the component that a hook is on, or of what is around it."""
        modules = self.new.modules.get(kind, {}).values()
        classes = {module.component: module.cls for module in modules if module.cls}
        around = outer_paths(hook)
        if hook.endswith(".hook_in"):
            # What comes in is computed by what is around.
            around = around[1:]
        return next((classes[name] for name in around if name in classes), "")

    def _for_spec(self, finding: Finding) -> tuple[Loc, str]:
        """For what is of no component: a place, and what to do."""
        code, is_benign = finding.code, finding.severity == "benign"
        if code == "cache-class":
            return ("cache",), "change `cache:` here"
        if code.startswith(("kind-", "cache-")):
            kind = finding.kinds[0]
            fix = "" if is_benign else f"cached generation may differ: {_VERIFY}"
            if code.startswith("kind-"):
                fix = self._for_kind(finding, kind)
            return ("blocks", "kinds", kind), fix
        if code == "field-gone":
            loc = self._place_of(finding.paths[0])
            return loc, "look up what the field is called now, and change it here"
        if code == "cfg":
            fix = "see whether HF gives the value elsewhere, and carry it over in config.from_hf"
            return self._place_of(finding.paths[0].removeprefix("cfg.")), fix
        if code == "path-new" and not is_benign:
            outside = finding.kinds == (OUTSIDE,)
            return ("components",) if outside else ("blocks",), self._component(finding)
        if code == "generation":
            fix = "wait for a release of transformers in which it does not, or name an older"
            return ("cache",), fix
        fixes = {
            "class": f"write `architecture: {last(finding.hf)}` here",
            "raises": "see what the other findings name, or wait for a release that fixes it",
            "logits": f"see what HF computes now; {_VERIFY}",
            "not-run": "fix what the other findings name; `adaptergen verify` says where it begins",
        }
        if is_benign and code not in fixes:
            return (), ""
        return ("architecture",), fixes.get(code, _VERIFY)

    def _for_kind(self, finding: Finding, kind: str) -> str:
        if finding.code == "kind-renamed":
            found = next((k for k in self.plan.kinds if k.name == kind), None)
            known = {kind, *(found.formerly if found else ())}
            if found and finding.paths[0] in known:
                return f"{_NOTHING}the kind has {names(sorted(known))} for names"
            return f"put `{finding.paths[0]}` into `formerly` of this kind"
        if finding.code == "kind-new":
            if self.plan.kinds_of(kind):
                return f"give the tiny model a layer of `{kind}`: {_VERIFY}"
            return f"describe `{kind}` below blocks.kinds, or name it in `formerly` of a kind"
        return _VERIFY

    def _place_of(self, name: str) -> Loc:
        """Where the spec names a field."""
        spec = self.plan.spec
        if name in spec.config.from_hf:
            return ("config", "from_hf", spec.config.from_hf.index(name))
        if name in spec.config.derived:
            return ("config", "derived", name)
        return ("tiny", "config", name) if name in spec.tiny.config else ("config",)
