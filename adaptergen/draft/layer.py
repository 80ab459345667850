"""The modules of one layer, with the names that TransformerLens gives to their roles."""

from __future__ import annotations

from collections.abc import Mapping

from adaptergen.draft.components import Drafter, Made, free_key, is_path
from adaptergen.draft.observation import Called
from adaptergen.draft.roles import is_close, role_of, same, terms_of

#: Keys of norms of which TransformerLens makes hooks and names in all blocks, and those names.
OF_ALL_LAYERS = {"ln2": "", "ln1_post": "hook_attn_out", "ln2_post": "hook_mlp_out"}


class Layer:
    """The modules of one layer, with the names that TransformerLens gives to their roles."""

    def __init__(self, drafter: Drafter, path: str) -> None:
        self.drafter, self.seen, self.path = drafter, drafter.seen, path
        self.call = self.seen.calls[path]
        self.parts = [
            (one, role_of(self.seen, one))
            for one in self.seen.nearest(path)
            if drafter.is_bound(one) and is_path(one.path[len(path) + 1 :])
        ]
        self.keys = self._keys()

    def short_keys(self) -> dict[str, str]:
        """Keys by paths within the layer."""
        return {path[len(self.path) + 1 :]: key for path, key in self.keys.items()}

    def rename(self, agreed: Mapping[str, str]) -> None:
        """Give modules the keys that they have in other layers, where those are free."""
        keys = {
            path: agreed.get(path[len(self.path) + 1 :], key) for path, key in self.keys.items()
        }
        if len(set(keys.values())) == len(keys):
            self.keys = keys

    def promises(self, key: str) -> bool:
        """Whether the layer has a module of this key that is what TransformerLens makes of it."""
        alias = OF_ALL_LAYERS[key]
        return key in self.keys.values() and (
            not alias or self.aliases().get(alias) == f"{key}.hook_out"
        )

    def take_back(self, key: str) -> None:
        """Name the module of a key as Hugging Face does."""
        for path, own in self.keys.items():
            if own == key:
                self.keys[path] = free_key(path[len(self.path) + 1 :], set(self.keys.values()))

    def submodules(self) -> dict[str, Made]:
        """The components of the layer by their keys."""
        found = {}
        for call, _ in self.parts:
            path = call.path[len(self.path) + 1 :]
            found[self.keys[call.path]] = self.drafter.component(call, path)
        return found

    def _keys(self) -> dict[str, str]:
        """Keys by paths: the names of roles, where one module has the role, or of Hugging Face."""
        keys: dict[str, str] = {}
        wide = [c for c, role in self.parts if role == "feed_forward" and self._is_stream(c)]
        roles = {
            "attn": [c for c, role in self.parts if role == "attention"],
            "mixer": [c for c, role in self.parts if role == "mixer"],
            "mlp": wide[:1] if len(wide) == 1 else [],
        }
        for key, calls in roles.items():
            if len(calls) == 1:
                keys[calls[0].path] = key
        for call, role in self.parts:
            if role == "norm":
                key = self._norm_key(call, keys)
                if key and key not in keys.values():
                    keys[call.path] = key
        taken = set(keys.values())
        for call, role in self.parts:
            if call.path not in keys:
                keys[call.path] = free_key(call.path[len(self.path) + 1 :], taken, role)
        return keys

    def _norm_key(self, norm: Called, keys: Mapping[str, str]) -> str:
        assert norm.gave is not None and norm.took is not None
        named = [(c, keys.get(c.path, "")) for c, _ in self.parts if c is not norm]
        for call, key in named:
            if call.order > norm.order and same(call.took, norm.gave):
                if key in ("attn", "mixer"):
                    return "ln1"
                if key == "mlp" or role_of(self.seen, call) == "linear":
                    return "ln2"
        for call, key in named:
            if call.order < norm.order and same(call.gave, norm.took):
                return {"attn": "ln1_post", "mixer": "ln1_post", "mlp": "ln2_post"}.get(key, "")
        return ""

    def _is_stream(self, call: Called) -> bool:
        taken = self.call.took
        return (
            taken is not None
            and call.took is not None
            and call.gave is not None
            and call.gave.shape == taken.shape == call.took.shape
        )

    def aliases(self) -> dict[str, str]:
        """Names of the block for parts of the residual stream, where sums show that they are."""
        stream = self.call.took
        found: dict[str, str] = {}
        if stream is None or self.call.gave is None:
            return found
        key_of = {key: call for call, _ in self.parts for key in [self.keys[call.path]]}
        out = {key: call.gave for key, call in key_of.items() if call.gave is not None}
        total = terms_of(self.call.gave, [("", stream), *out.items()])
        for alias, keys in (
            ("hook_attn_out", ("ln1_post", "attn")),
            ("hook_mlp_out", ("ln2_post", "mlp")),
        ):
            fitting = [key for key in keys if key in out and (total is None or key in total)]
            if fitting:
                found[alias] = f"{fitting[0]}.hook_out"
        first = found.get("hook_attn_out", "").partition(".")[0]
        if first and total and len(total) == 3 and out[first].shape == stream.shape:
            middle = stream + out[first]
            for key, call in key_of.items():
                if call.took is not None and is_close(call.took, middle):
                    found["hook_resid_mid"] = f"{key}.hook_in"
                    break
        return found
