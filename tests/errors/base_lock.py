"""Writes the lock of the small spec, which is made up: transformers has no such layers.

python tests/errors/base_lock.py
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adaptergen.generate import plan
from adaptergen.lock.declared import component_names, declared_state, hook_rows_of
from adaptergen.lock.entry import OUTSIDE, Branch, Entry, Field, Hook, Kind, Model, Module
from adaptergen.lock.store import Lock, lock_path, lock_text, write_lock
from adaptergen.plan.model import Plan

SPEC = Path(__file__).parent / "base" / "specs" / "small.yaml"
FIELDS = (
    *("conv_kernel", "hidden_size", "hybrid_override_pattern", "layers_block_type"),
    *("moe_latent_size", "n_groups", "ssm_state_size", "vocab_size"),
)
WORDS = {"linear_attention": {"5.12.1": "mamba"}}


def entry(made: Plan, release: str) -> Entry:
    """An entry that agrees with the spec."""
    kinds = {name: number for number, name in enumerate(made.spec.tiny.kinds)}
    modules = {
        kind: {
            path: Module(cls="torch.nn.Linear", component=name, parameters={"weight": "[1]"})
            for path, name in component_names(made, kind).items()
        }
        for kind in (OUTSIDE, *kinds)
    }
    if release != "5.12.1":
        conv = Module(cls="torch.nn.Conv1d", called=(), used_by=("x.Mixer.forward",))
        modules["linear_attention"]["mixer.conv1d"] = conv
    hooks = {
        kind: {name: hook(declared_state(row.contract, release), row.axes)
               for name, row in hook_rows_of(made, kind).items() if row.condition is None}
        for kind in (OUTSIDE, *kinds)
    }  # fmt: skip
    wide = {name: Hook() for name in hook_rows_of(made, "mlp") if name not in hooks["mlp"]}
    return Entry(
        model=Model(
            cls=f"transformers.{made.spec.architecture}",
            config="transformers.NemotronHConfig",
            cache="transformers.DynamicCache",
            layers="model.layers",
            fields=FIELDS,
            told_by="block_type",
        ),
        config={name: Field(type="int") for name in made.spec.config.from_hf},
        cfg={"conv_dim": "64"},
        kinds={
            name: Kind(
                word=WORDS.get(name, {}).get(release, name), layers=(layer,), cache="x.DynamicLayer"
            )
            for name, layer in kinds.items()
        },
        modules=modules,
        hooks=hooks,
        branches={"wide": Branch(hooks={"mlp": wide})},
    )


def hook(state: str, axes: Sequence[object]) -> Hook:
    shape = "" if state == "silent" else f"[{', '.join(map(str, axes))}]"
    if state == "silent_in_decode":
        return Hook(in_decode=False, shape=shape)
    return Hook(state=state, shape=shape)


def main() -> None:
    made = plan(SPEC)
    entries = {f"{release}/4.3.0": entry(made, release) for release in ("5.12.1", "5.23.0")}
    lock = Lock("specs/small.yaml", made.spec.architecture, entries)
    write_lock(lock_path(SPEC), lock_text(lock))


if __name__ == "__main__":
    main()
