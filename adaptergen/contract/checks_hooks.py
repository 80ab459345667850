"""Which hooks there are, which fire, with which shapes, and what an edit of them does."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import reduce
from math import prod
from typing import Any

import torch

from transformer_lens.model_bridge.generalized_components import base

from .findings import Finding, Spot
from .models import ModelUnderTest, at, attributes, difference, edited, quiet, relative
from .reference import BATCH
from .tables import Hook, full_name, names_of, parts_of

#: Sums in another order, by the largest value: what float32 rounds.
ROUNDED = 1e-4
#: Hooks on request may recompute what they hold.
RECOMPUTED = 1e-3


def check_offered(run: ModelUnderTest) -> Iterator[Finding]:
    """Every hook that is declared is there, no other is, and the aliases lead where they shall."""
    names = run.bridge.hook_dict
    there = {point.name for point in names.values()}
    run.report.count("hooks", len(there))
    for name in sorted(there - run.hook.keys()):
        layer, kind, short = run.split(name)
        run.report.of_kind(kind).undeclared.add(short)
        what = f"the hook {short} is offered and not declared"
        mend = "describe it under hooks, or take it off with `contract: {is: absent, ...}`"
        spot = Spot(layer, kind, short)
        yield Finding("hooks", what, "not offered", "offered", mend, spot, ("component",))
    for name in sorted(run.hook.keys() - there):
        what = f"the hook {run.hook[name].short} is declared and not offered"
        mend = "delete it here, or say when it is there"
        yield Finding("hooks", what, "offered", "not offered", mend, at(run.hook[name]))
    yield from _check_aliases(run, {name: point.name for name, point in names.items()})


def _check_aliases(run: ModelUnderTest, targets: Mapping[str, str]) -> Iterator[Finding]:
    measured = {name: target for name, target in targets.items() if name != target}
    expected = {
        full_name(hook, alias): hook.name
        for hook in run.hooks
        for alias in hook.contract.aliases.split()
    }
    for number, of in enumerate(run.kinds):
        names = run.tables.block_aliases(of, run.hf_config).items()
        expected |= {f"blocks.{number}.{alias}": f"blocks.{number}.{to}" for alias, to in names}
    run.report.count("aliases", len(expected))
    for alias in sorted(expected.keys() | measured.keys()):
        wanted, found = expected.get(alias), measured.get(alias)
        if wanted == found:
            continue
        layer, kind, short = run.split(alias)
        what = f"the name {short} does not lead where it is promised to"
        values = (wanted or "nothing", found or "nothing")
        about = ("alias", run.hook[wanted].short) if wanted else ("component",)
        mend, spot = "mend aliases of the shape", Spot(layer, kind, short)
        yield Finding("aliases", what, *values, mend, spot, about)


def check_fired(run: ModelUnderTest) -> Iterator[Finding]:
    """What a plain run fires, and the shapes of it."""
    fired, offered = run.activations, run.bridge.hook_dict
    for hook in run.hooks:
        counts = run.report.of_kind(hook.kind)
        if hook.name not in fired:
            counts.silent.add(hook.short)
            # One that is not offered has its finding already.
            if hook.fires and hook.name in offered:
                mend = "say `is: silent` or `is: absent` with the reason, or mend the path"
                what = f"the hook {hook.short} does not fire in a plain run"
                yield Finding("hooks", what, "fires", "silent", mend, at(hook))
            continue
        counts.fired.add(hook.short)
        if not hook.fires:
            what = f"the hook {hook.short} fires in a plain run"
            mend = "delete the contract here, or the releases in which it holds"
            yield Finding("hooks", what, hook.state, "fires", mend, at(hook))
        yield from _check_shape(run, hook, fired[hook.name], *run.tokens.shape)


def _check_shape(
    run: ModelUnderTest, hook: Hook, tensor: Any, batch: int, pos: int, when: str = ""
) -> Iterator[Finding]:
    expected, measured = run.shape(hook.contract, batch, pos), tuple(tensor.shape)
    run.report.count("shapes")
    if measured != expected:
        what = f"the hook {hook.short} has not the shape [{', '.join(hook.contract.axes)}]{when}"
        mend = "mend the shape here, or the arithmetic of a derived value in it"
        unset = ("unset",) if None in expected else ()
        values = (f"{expected}", f"{measured}")
        yield Finding("shapes", what, *values, mend, at(hook), ("shape", *unset))


def check_slices(run: ModelUnderTest) -> Iterator[Finding]:
    """With `pos_slice`, a cache holds of each hook what belongs to one position."""
    batch, pos = run.tokens.shape
    # The first, which is there also where another axis is taken for that of positions.
    sliced = run.bridge.run_with_cache(run.tokens[:1], pos_slice=0)[1].cache_dict
    for hook in run.hooks:
        whole, part = run.activations.get(hook.name), sliced.get(hook.name)
        axis = hook.contract.pos_axis
        if axis is None or whole is None or part is None or whole.dim() < 2:
            continue  # TransformerLens does not slice it, or it has its finding already.
        if whole.shape != run.shape(hook.contract, batch, pos):
            continue
        sizes = [size for size in run.shape(hook.contract, 1, pos) if size is not None]
        expected, measured = prod([*sizes[:axis], *sizes[axis + 1 :]]), part.numel()
        run.report.count("slices")
        if measured != expected:
            what = f"`pos_slice` does not leave one position of the hook {hook.short}"
            mend = "write its shape so that TransformerLens finds the positions in it"
            yield Finding("slices", what, str(expected), str(measured), mend, at(hook))


def check_edits(run: ModelUnderTest) -> Iterator[Finding]:
    """Edit each hook that fires once, on the first layer that has it.

    After the first model only hooks that a changed field concerns; all, where none is.
    """
    # Its own logits, which need not equal HF's to the last bit.
    plain = run.bridge(run.tokens)
    for hook in _concerned(run):
        if not hook.fires or hook.name not in run.bridge.hook_dict:
            continue
        ran, logits = _run_edited(run, [hook], run.tokens)
        reaches = not torch.equal(logits, plain)
        if ran and not reaches:
            _, logits = _run_edited(run, _in_all_layers(run, hook), run.tokens)
            reaches = not torch.equal(logits, plain)
        run.report.count("edits")
        # A hook that is silent has its finding already.
        if ran and reaches == (hook.state == "read_only"):
            what, mend = f"an edit of {hook.short} reaches the logits", "delete `is: read_only`"
            if not reaches:
                what = f"an edit of {hook.short} does not reach the logits"
                mend = "add `contract: {is: read_only, reason: ...}`"
            words = ("reaches the logits", "does not")
            yield Finding("edits", what, words[reaches], words[not reaches], mend, at(hook))


def _concerned(run: ModelUnderTest) -> list[Hook]:
    if run.changes is None:
        return list(run.once)
    changed = run.changes.keys()
    found = [
        hook
        for hook in run.once
        if changed & {n.removeprefix("hf.") for axis in hook.contract.axes for n in names_of(axis)}
        or (hook.contract.when and parts_of(hook.contract.when)[0] in changed)
    ]
    # A field that has no part in any hook may have one in all that is computed.
    return found or list(run.once)


def _in_all_layers(run: ModelUnderTest, hook: Hook) -> list[Hook]:
    """The same hook of all layers of its kind: what one layer chooses may leave an edit out."""
    return [one for one in run.hooks if (one.kind, one.short) == (hook.kind, hook.short)]


def _run_edited(
    run: ModelUnderTest, hooks: Sequence[Hook], tokens: Any, **options: Any
) -> tuple[bool, torch.Tensor]:
    """Whether a hook fired, and the logits with the activations of the hooks edited."""
    ran: list[bool] = []

    def edit(activation: Any, hook: Any) -> Any:
        ran.append(True)
        return edited(activation)

    with quiet():
        pairs = [(hook.name, edit) for hook in hooks]
        logits = run.bridge.run_with_hooks(tokens, fwd_hooks=pairs, **options)
    return bool(ran), logits


def check_decode(run: ModelUnderTest) -> Iterator[Finding]:
    """A decode step after a cached prompt: HF's logits, the hooks promised, and their edits."""
    bridge, tokens = run.bridge, run.tokens
    cached = run.empty_cache()
    bridge(tokens[:, :-1], **cached)
    before = copy.deepcopy(cached)
    logits, cache = bridge.run_with_cache(tokens[:, -1:], **cached)
    expected = run.answers.step_logits
    apart = difference(logits, expected)
    run.report.parity["decode_step"] = apart
    if apart:
        mend, what = "check what the cache holds", "logits of a decode step differ from HF's"
        yield Finding("decode", what, "0", f"{apart:g}", mend)
    for hook in run.hooks:
        fires = hook.name in cache.cache_dict
        if fires != hook.fires_in_decode and hook.name in bridge.hook_dict:
            words = ("silent", "fires")
            what = f"in a decode step the hook {hook.short} {'fires' if fires else 'is silent'}"
            mend = "say `is: silent_in_decode` with the reason, or delete it"
            values = (words[hook.fires_in_decode], words[fires])
            yield Finding("decode", what, *values, mend, at(hook))
    # Where HF's step does not continue the prompt, a finding says so, and edits show nothing.
    continues = relative(expected[:, -1], run.answers.logits[:, -1]) <= RECOMPUTED
    # Without such an edit, a step could show what it does not use.
    for hook in run.once if run.is_first and continues else ():
        if hook.state != "live" or hook.name not in cache.cache_dict:
            continue
        for edited_hooks in ([hook], _in_all_layers(run, hook)):
            options = copy.deepcopy(before)
            _, changed = _run_edited(run, edited_hooks, tokens[:, -1:], **options)
            if not torch.equal(changed, logits):
                break
        run.report.count("edits")
        if torch.equal(changed, logits):
            what = f"an edit of {hook.short} in a decode step does not reach the logits"
            mend = "look at where HF takes it from in a decode step"
            yield Finding("decode", what, "reaches the logits", "does not", mend, at(hook))


def check_call_tokens(run: ModelUnderTest) -> Iterator[Finding]:
    """In a prompt that is handed over in two calls, a hook holds the tokens of its own call."""
    bridge, tokens = run.bridge, run.tokens
    _, whole = bridge.run_with_cache(tokens, use_cache=False)
    for split in (1, 2, 5):
        parts = [tokens[:, :split], tokens[:, split:]]
        if not _continues(run, parts):
            parts.pop()  # HF itself cannot continue a cache with several tokens.
        cached = run.empty_cache()
        caches = [bridge.run_with_cache(part, **cached)[1].cache_dict for part in parts]
        for hook in run.hooks:
            found = [cache[hook.name] for cache in caches if hook.name in cache]
            if hook.state != "live" or not hook.contract.is_by_token or len(found) < len(parts):
                continue
            if whole[hook.name].shape != run.shape(hook.contract, *tokens.shape):
                continue  # It has its finding already.
            axis = hook.contract.pos_axis or 0
            joined = _joined(found, axis, hook)
            expected = _joined([whole[hook.name]], axis, hook)
            expected = expected.narrow(axis + _is_flat(hook), 0, sum(p.shape[1] for p in parts))
            apart = relative(joined, expected)
            run.report.count("tokens of a call")
            if not apart <= ROUNDED:
                what = f"the hook {hook.short} holds other tokens than those of its call"
                mend = "look at what a prompt after a cached one passes there"
                told = (f"<= {ROUNDED:g}", f"{apart:g}")
                yield Finding("tokens", what, *told, mend, at(hook))


def _is_flat(hook: Hook) -> int:
    """1 if rows and positions lie in one axis."""
    return int("batch*pos" in hook.contract.axes)


def _joined(parts: Sequence[Any], axis: int, hook: Hook) -> Any:
    if not _is_flat(hook):
        try:
            return torch.cat(list(parts), dim=axis)
        except RuntimeError:
            return torch.cat([part.flatten() for part in parts])
    return torch.cat([part.unflatten(axis, (BATCH, -1)) for part in parts], dim=axis + 1)


def _continues(run: ModelUnderTest, parts: Sequence[Any]) -> bool:
    """Whether HF's own logits are those of one call."""
    cached = run.empty_cache()
    try:
        logits = [run.spare(part, **cached).logits for part in parts]
    except (RuntimeError, ValueError, IndexError):
        return False
    return relative(torch.cat(logits, dim=1), run.answers.logits) <= ROUNDED


def check_on_request(run: ModelUnderTest) -> Iterator[Finding]:
    """Hooks with a switch fire when it is set, in their shapes, and the logits stay close."""
    asked = [hook for hook in run.hooks if hook.state == "on_request"]
    for switch in sorted({hook.contract.switch for hook in asked}):
        group = [hook for hook in asked if hook.contract.switch == switch]
        with _switched(run.bridge, switch, group):
            logits, cache = run.bridge.run_with_cache(run.tokens, **run.without_cache)
        apart = difference(logits, run.answers.logits)
        run.report.parity[f"with {switch}"] = apart
        for hook in group:
            expected = run.shape(hook.contract, *run.tokens.shape)
            found = cache.cache_dict.get(hook.name)
            measured = "silent" if found is None else str(tuple(found.shape))
            run.report.count("hooks on request")
            if measured != str(expected):
                what = f"the hook {hook.short} is not as promised with {switch} set"
                mend = "mend the shape or the switch here"
                yield Finding("hooks", what, str(expected), measured, mend, at(hook))
            elif not apart <= RECOMPUTED:
                what, mend = f"logits with {switch} set are not close to HF's", "compare with HF"
                values = (f"<= {RECOMPUTED:g}", f"{apart:g}")
                yield Finding("parity", what, *values, mend, at(hook))


@contextmanager
def _switched(bridge: Any, switch: str, group: Sequence[Hook]) -> Iterator[None]:
    with ExitStack() as stack:
        if switch.startswith("set_"):
            getattr(bridge, switch)(True)
            stack.callback(getattr(bridge, switch), False)
        else:
            for path in {hook.name.rpartition(".")[0] for hook in group}:
                _, layer, *inner = path.split(".")
                component = reduce(getattr, inner, bridge.blocks[int(layer)])
                stack.enter_context(attributes(component, **{switch: True}))
        yield


def check_training(run: ModelUnderTest) -> Iterator[Finding]:
    """In training, logits are HF's under one seed, and gradients reach every live hook."""
    bridge, options = run.bridge, run.without_cache
    gradients: dict[str, float] = {}

    def keep(gradient: Any, hook: Any) -> None:
        gradients[hook.name] = float(gradient.abs().sum())

    # What is the same for all tokens, such as angles, HF computes without gradients.
    expected_of = {
        hook: hook.state == "live"
        for hook in run.hooks
        if hook.state in ("live", "no_gradient")
        and hook.name in run.activations
        and run.activations[hook.name].is_floating_point()
        and any("batch" in names_of(axis) for axis in hook.contract.axes)
    }
    watched = [(hook.name, lambda activation, hook: None) for hook in run.hooks if hook.fires]
    watched = [pair for pair in watched if pair[0] in bridge.hook_dict]
    with torch.enable_grad(), quiet():
        # With gradients too: without them, torch may compute a product otherwise.
        spare = copy.deepcopy(run.spare)
        expected = _trained(spare, lambda model: model(run.tokens, **options).logits)
        with bridge.hooks(fwd_hooks=watched):
            actual = _trained(bridge, lambda model: model(run.tokens, **options))
        # TransformerLens computes norms itself where they have backward hooks.
        with bridge.hooks(bwd_hooks=[(hook.name, keep) for hook in expected_of]):
            logits = _trained(bridge, lambda model: model(run.tokens, **options))
            # A sum of all logits could not tell one that adds to one what another loses.
            (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum().backward()
    bridge.zero_grad()
    for hook, expects in expected_of.items():
        run.report.count("gradients")
        reaches = gradients.get(hook.name, 0.0) > 0
        if reaches != expects:
            what, mend = f"no gradient reaches the hook {hook.short}", "look for a detached tensor"
            if reaches:
                what = f"a gradient reaches the hook {hook.short}"
                mend = "delete `is: no_gradient`"
            words = ("none", "a gradient")
            yield Finding("training", what, words[expects], words[reaches], mend, at(hook))
    apart = difference(actual, expected)
    run.report.parity["in training"] = apart
    if apart:
        what, mend = "logits in training differ from HF's", "compare what hooks change there"
        yield Finding("training", what, "0", f"{apart:g}", mend)


def _trained(model: Any, call: Callable[[Any], Any]) -> Any:
    """What a call of the model in training gives, under one seed."""
    model.train()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            return call(model)
    finally:
        model.eval()


def check_isolation(run: ModelUnderTest) -> Iterator[Finding]:
    """HF's modules are unchanged after a run, and copies and threads do not see each other."""
    bridge, tokens = run.bridge, run.tokens
    before = _state(bridge)
    bridge.run_with_cache(tokens)
    bridge(tokens)
    changed = sorted(name for name, state in _state(bridge).items() if state != before.get(name))
    if changed:
        what, mend = "a run leaves HF's modules changed", "undo what hooks change"
        yield Finding("isolation", what, "unchanged", ", ".join(changed[:4]), mend)
    copied = copy.deepcopy(bridge)
    for name, one, other in (("copy", bridge, copied), ("original", copied, bridge)):
        fired: list[str] = []
        live = [hook.name for hook in run.hooks if hook.fires and hook.name in one.hook_dict]
        hooks = [(hook, lambda _, hook, fired=fired: fired.append(hook.name)) for hook in live]
        with one.hooks(fwd_hooks=hooks):
            logits = other(tokens)
        own = one.run_with_hooks(tokens, fwd_hooks=hooks[:1])
        run.report.count("copies")
        if len(fired) != 1 or difference(logits, run.recorded[0]) or difference(own, logits):
            what = f"hooks fire in the {name} of the bridge too, or it computes otherwise"
            mend = "look at what both hold"
            yield Finding("isolation", what, "0 hooks fire", f"{len(fired) - 1} fire", mend)
    yield from _check_threads(run)


def _check_threads(run: ModelUnderTest) -> Iterator[Finding]:
    """Runs in another thread give HF's logits while hooks are attached and taken off here."""
    plain, failures = run.bridge(run.tokens), list[str]()
    other, done = copy.deepcopy(run.bridge), threading.Event()
    started = threading.Event()

    def work() -> None:
        try:
            with torch.no_grad():
                while not done.is_set():
                    apart = difference(other(run.tokens), plain)
                    started.set()
                    if apart:
                        failures.append(f"{apart:g} apart")
                        return
        except Exception as error:  # a thread would lose it; here it becomes a finding
            failures.append(f"{type(error).__name__}: {error}")
        finally:
            started.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        started.wait(60)
        for hook in run.once[:: max(1, len(run.once) // 8)]:
            if hook.fires and hook.name in run.bridge.hook_dict:
                _run_edited(run, [hook], run.tokens)
    finally:
        done.set()
        thread.join()
    run.report.count("threads")
    if failures:
        what, mend = "hooks of one model change what another computes in a thread", "share nothing"
        yield Finding("isolation", what, "HF's logits", failures[0][:200], mend)


def _state(bridge: Any) -> dict[str, dict[str, int]]:
    """The attributes of each module of HF's, by the identity of their values."""
    parts = {
        name: part
        for name, part in bridge.named_modules()
        if isinstance(part, base.GeneralizedComponent)
    }
    modules = {
        f"{name} {type(part.original_component).__name__}": part.original_component
        for name, part in parts.items()
        if part.original_component is not None
    }
    return {
        name: {key: id(value) for key, value in vars(module).items()}
        for name, module in modules.items()
    }
