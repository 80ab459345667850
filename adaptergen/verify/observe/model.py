"""One tiny model observed: the facts of HF's, then the hooks of the wrapped one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from adaptergen.contract import ModelReport, tables
from adaptergen.contract.models import perturb
from adaptergen.facts import ConfigFacts
from adaptergen.inspection.fault_isolation import attempted, guarded
from adaptergen.inspection.observe import observe_model
from adaptergen.lock.reduce import Reduction
from adaptergen.verify.models import hf_config, layer_kinds, random_model, wrapped
from adaptergen.verify.observe.hooks import Hooks, observe_hooks
from adaptergen.verify.observe.logits import expected, kept, noted
from adaptergen.verify.observe.named import cfg_fields, hf_fields
from adaptergen.verify.target import Target

_PLACE = re.compile(r" ?\(?(?:/[^\s():]+|0x[0-9a-fA-F]+)\)?")


def without_places(text: str) -> str:
    """A message without paths and addresses, which are those of a machine, and not too long."""
    return _PLACE.sub("", " ".join(text.split()))[:300]


class ObservedModel:
    """The tiny model of the spec with some fields changed.

    Raises `Failed` if its config cannot be made, whatever transformers raises when the model is
    built, and `RuntimeError` if none of its forwards runs. What the adapter raises, or that it
    computes something else than HF, is kept in `error`.
    """

    def __init__(self, target: Target, name: str, changes: Mapping[str, Any]) -> None:
        self._target, self.name = target, name
        self.config = guarded(
            "hf-config",
            f"the config of {target.plan.spec.architecture} cannot be made for its tiny model",
            f"check `tiny:` in {target.source.path} against this release of transformers",
            lambda: hf_config(target, {**target.plan.spec.tiny.config, **changes}),
        )
        self._model = random_model(target, self.config)
        perturb(self._model)
        with noted(self._model) as logits:
            # Generation is told once, of the first.
            self.facts = observe_model(self._model, name, generates=not changes)
        errors = [trace.error for trace in self.facts.traces.values()]
        if all(errors):
            raise RuntimeError(f"no forward of the tiny model {name} runs: {errors[0]}")
        self.raises: dict[str, str] = {
            name: without_places(trace.error)
            for name, trace in self.facts.traces.items()
            if trace.error
        }
        # Generation comes after the scenarios.
        ran = [name for name, trace in self.facts.traces.items() if not trace.error]
        self.logits = kept(dict(zip(ran, logits, strict=False)))
        self.kinds = layer_kinds(target, self._model)
        self.words = self._words()
        self.reduction = Reduction(target.plan, self.facts, self.kinds, self._size)
        self.hooks: Hooks = {}
        self.order: tuple[str, ...] = ()
        self.cfg: dict[str, str] = {}
        self.error = ""

    def use_adapter(self, wanted: Callable[[tables.Hook], bool]) -> None:
        """Wrap the model, which changes it, and observe the hooks that are wanted."""
        try:
            logits = expected(self._model)
            run = wrapped(self._target, self._model, ModelReport(self.name))
            found = observe_hooks(run, self._target.plan, logits, wanted)
        except Exception as error:  # an adapter of another release may raise anything
            self.error = without_places(f"{type(error).__name__}: {error}")
            return
        self.hooks, self.order = found.hooks, found.order
        if found.apart:
            self.error = f"its logits are not HF's in {' and in '.join(found.apart)}"
        names = sorted(cfg_fields(self._target))
        self.cfg = {name: repr(getattr(run.bridge.cfg, name, None)) for name in names}

    def values(self, facts: ConfigFacts) -> dict[str, object]:
        """Values of the fields that the spec names.

        What a config is made with and its class does not know is an attribute of it nevertheless;
        that does not count.
        """
        known = {*facts.fields, *facts.aliases, *facts.older}
        passed = self._target.plan.spec.tiny.config.keys() - known
        return {
            name: self._size(name)
            for name in hf_fields(self._target)
            if self._has(name) and (name not in passed or hasattr(type(self.config), name))
        }

    def _size(self, name: str) -> Any:
        """A value of the config; some raise for a field that only layers have."""
        return attempted(getattr, self.config, name, None)

    def _has(self, name: str) -> bool:
        return bool(attempted(hasattr, self.config, name))

    def _words(self) -> list[str]:
        """What each block says it is; nothing if blocks are told by what they hold."""
        told_in = self._target.plan.spec.blocks.kind
        blocks = self._model.get_submodule(self._target.plan.block.path)
        return [str(getattr(block, told_in.attribute)) if told_in else "" for block in blocks]
