"""From what a user names to a model class: a class of transformers, a spec, or a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adaptergen.inspection.config_file import read_config
from adaptergen.inspection.failures import failed, guarded, named
from adaptergen.problems import Place, suggestion
from adaptergen.problems.model import Failed, Problem

#: Fields of a config.json that say where it comes from or how weights are stored.
_NOT_OF_A_MODEL = frozenset(
    {"architectures", "auto_map", "_name_or_path", "torch_dtype", "dtype", "transformers_version",
     "quantization_config", "_attn_implementation", "attn_implementation"}
)  # fmt: skip


@dataclass(frozen=True)
class Target:
    """The name of a model class, and the fields of a config.json to start from."""

    architecture: str
    base: dict[str, Any] = field(default_factory=dict)
    remote: tuple[str, str] = ("", "")
    """A folder and what its `auto_map` says of a class in it, where code of it is to be run."""


def read_target(text: str, trust_remote_code: bool = False) -> Target:
    """What is named; imports neither torch nor transformers. Raises `Failed`."""
    path = Path(text)
    if path.suffix in (".yaml", ".yml"):
        from adaptergen.source import read_source, validate
        from adaptergen.spec.architecture import Spec

        return Target(validate(read_source(path, path.as_posix()), Spec).architecture)
    if path.exists() or "/" in text or text.endswith(".json"):
        return _of_folder(path, trust_remote_code)
    return Target(text)


def load_class(target: Target) -> Any:
    """The class of a target. Raises `Failed`: there is none, or it cannot be imported."""
    import transformers
    from transformers.models.auto import modeling_auto

    if target.remote[1]:
        return _remote_class(*target.remote)
    name = target.architecture
    names = {*modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()}
    if not hasattr(type(transformers), "__getattr__") and not hasattr(transformers, name):
        raise _unknown(name, names)
    try:
        found = guarded("hf-import", f"{named(name)} cannot be imported", _BROKEN,
                        lambda: getattr(transformers, name))  # fmt: skip
    except Failed as error:
        if isinstance(error.__cause__, AttributeError):
            raise _unknown(name, names) from error
        raise
    # A class whose packages are missing is a stand-in that says so when it is used.
    config = guarded("hf-import", f"{named(name)} cannot be used", _BROKEN,
                     lambda: getattr(found, "config_class", None))  # fmt: skip
    if config is None:
        raise _unknown(name, names)
    return found


_BROKEN = "install what the message names, or versions of torch and transformers that fit"


def _unknown(name: str, names: set[str]) -> Failed:
    hint = suggestion(name, names) or "name a class such as LlamaForCausalLM"
    return failed("hf-class", f"transformers has no model class {named(name)}", hint)


def _of_folder(path: Path, trust_remote_code: bool) -> Target:
    file = path / "config.json" if path.is_dir() else path
    fields = _fields(file)
    base = {name: value for name, value in fields.items() if name not in _NOT_OF_A_MODEL}
    listed = fields.get("architectures")
    name = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], str) else ""
    mapped = fields.get("auto_map")
    reference = mapped.get("AutoModelForCausalLM") if isinstance(mapped, dict) else None
    if trust_remote_code and isinstance(reference, str):
        return Target(name or reference, base, (file.parent.as_posix(), reference))
    if not name:
        hint = 'add the name of the model class, as in `"architectures": ["LlamaForCausalLM"]`'
        raise _of_file("hf-folder", file, f"{named(file.name)} names no architecture", hint)
    if isinstance(reference, str) and not _in_transformers(name):
        message = f"{named(name)} is code of the folder, and nothing of it was run"
        hint = "read that code, and add --trust-remote-code if you trust it"
        raise _of_file("remote-code", file, message, hint)
    return Target(name, base)


def _fields(file: Path) -> dict[str, Any]:
    try:
        fields = read_config(file)
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else str(error)
        hint = "name a class of transformers, a spec, or a folder with a config.json"
        raise _of_file(
            "hf-folder", file, f"{named(file.name)} cannot be read: {what}", hint
        ) from error
    if not isinstance(fields, dict):
        hint = "name the config.json of a checkpoint, or its folder"
        raise _of_file("hf-folder", file, f"{named(file.name)} holds no object", hint)
    return fields


def _of_file(code: str, file: Path, message: str, hint: str) -> Failed:
    return Failed([Problem(code, message, hint, Place(file.as_posix()))])


def _in_transformers(name: str) -> bool:
    from transformers.models.auto import modeling_auto

    return name in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values()


def _remote_class(folder: str, reference: str) -> Any:
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    what = f"{named(reference)} of {named(folder)} cannot be imported"
    hint = "install what it needs, or a release of transformers that it is written for"
    return guarded(
        "hf-import", what, hint, lambda: get_class_from_dynamic_module(reference, folder)
    )
