"""From what a user names to a model class: a class of transformers, a spec, or a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adaptergen.inspection import auto
from adaptergen.inspection.config_file import read_config
from adaptergen.inspection.failures import failed, guarded, named
from adaptergen.problems import Failed, Problem, SourceLocation, listing

#: Fields of a config.json that say where it comes from or how weights are stored.
_NOT_OF_A_MODEL = frozenset(
    {"architectures", "auto_map", "_name_or_path", "torch_dtype", "dtype", "transformers_version",
     "quantization_config", "_attn_implementation", "attn_implementation"}
)  # fmt: skip

#: What `auto_map` calls the class that is wanted, and how it says that it is somewhere else.
_AUTO, _ELSEWHERE = "AutoModelForCausalLM", "--"


@dataclass(frozen=True)
class Target:
    """The name of a model class, and the fields of a config.json to start from."""

    architecture: str
    base: dict[str, Any] = field(default_factory=dict)
    remote: tuple[str, str] = ("", "")
    """A folder and what its `auto_map` says of a class in it, where code of it is to be run."""
    file: Path | None = None
    """The config.json that the fields are from."""
    or_config: bool = False
    """Whether a config class may be named, which stands for its causal model."""


def read_target(text: str, trust_remote_code: bool = False) -> Target:
    """What is named; imports neither torch nor transformers. Raises `Failed`."""
    path = Path(text)
    if path.suffix in (".yaml", ".yml"):
        from adaptergen.source.read import read_source
        from adaptergen.source.validate import validate
        from adaptergen.spec.architecture import Spec

        return Target(validate(read_source(path, path.as_posix()), Spec).architecture)
    if path.exists() or "/" in text or text.endswith(".json"):
        return _of_folder(path, trust_remote_code)
    return Target(text, or_config=True)


def load_class(target: Target) -> Any:
    """The class of a target. Raises `Failed`: there is none, or it cannot be imported."""
    import transformers

    if target.remote[1]:
        return _remote_class(*target.remote)
    name = target.architecture
    if not hasattr(type(transformers), "__getattr__") and not hasattr(transformers, name):
        raise _unknown(name)
    try:
        found = guarded("hf-import", f"{named(name)} cannot be imported", _BROKEN,
                        lambda: getattr(transformers, name))  # fmt: skip
    except Failed as error:
        if isinstance(error.__cause__, AttributeError):
            raise _unknown(name) from error
        raise
    # A class whose packages are missing is a stand-in that says so when it is used.
    config = guarded("hf-import", f"{named(name)} cannot be used", _BROKEN,
                     lambda: getattr(found, "config_class", None))  # fmt: skip
    if config is not None:
        return found
    if auto.is_config(found):
        return _of_config(found, target)
    raise _unknown(name)


def _of_config(config_class: Any, target: Target) -> Any:
    causal = auto.causal_of(config_class) if target.or_config else ""
    model_class = load_class(Target(causal)) if causal else None
    # Some types of model borrow a class that is made of the config of another.
    if model_class is not None and auto.is_of(model_class, config_class):
        return model_class
    message = f"{named(target.architecture)} is a config class, and has no causal model of its own"
    if not target.or_config:
        message = f"{named(target.architecture)} is a config class, not a model class"
    raise failed("hf-class", message, auto.models_hint(config_class) or _NAME)


_BROKEN = "install what the message names, or versions of torch and transformers that fit"
_NAME = "name a class such as `LlamaForCausalLM`, a spec, or a folder with a config.json"


def _unknown(name: str) -> Failed:
    hint = auto.nearest_hint(name) or _NAME
    return failed("hf-class", f"transformers has no model class {named(name)}", hint)


def _of_folder(path: Path, trust_remote_code: bool) -> Target:
    file = path / "config.json" if path.is_dir() else path
    fields = _fields(file)
    base = {name: value for name, value in fields.items() if name not in _NOT_OF_A_MODEL}
    listed = fields.get("architectures")
    name = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], str) else ""
    said = fields.get("auto_map")
    mapped = said if isinstance(said, dict) else {}
    found = mapped.get(_AUTO)
    reference = found if isinstance(found, str) else ""
    if trust_remote_code and reference:
        if _ELSEWHERE in reference:
            raise _elsewhere(file, name, reference)
        return Target(name or reference, base, (file.parent.as_posix(), reference), file)
    if not name:
        hint = 'add the name of the model class, as in `"architectures": ["LlamaForCausalLM"]`'
        raise _of_file("hf-folder", file, f"{named(file.name)} names no architecture", hint)
    if mapped and not _in_transformers(name):
        raise _not_run(file, name, mapped, reference)
    return Target(name, base, file=file)


def _not_run(file: Path, name: str, mapped: dict[str, Any], reference: str) -> Failed:
    """The class is not one of transformers, and `auto_map` says more or less where it is."""
    if not reference:
        others = listing([key for key in mapped if key != _AUTO][:3]) or "nothing"
        message = f"transformers has no class {named(name)}, and `auto_map` names {others}"
        message += f" but no {named(_AUTO)}"
        hint = f'if its code is in the folder, add it: `"{_AUTO}": "FILE.CLASS"`'
        return _of_file("remote-code", file, message, hint)
    if _ELSEWHERE in reference:
        return _elsewhere(file, name, reference)
    message = f"{named(name)} is code of the folder, and nothing of it was run"
    hint = "read that code, and add --trust-remote-code if you trust it"
    return _of_file("remote-code", file, message, hint)


def _elsewhere(file: Path, name: str, reference: str) -> Failed:
    """Transformers would fetch the code, and run what is not in the folder that was read."""
    repository, _, here = reference.rpartition(_ELSEWHERE)
    message = f"{named(reference)} is code of another repository, and nothing of it was run"
    hint = f"put the code of {named(repository)} into the folder, and write {named(here)} instead"
    if name and _in_transformers(name):
        hint = "leave out --trust-remote-code: transformers has a class of the same name"
    return _of_file("remote-code", file, message, hint)


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
    return Failed([Problem(code, message, hint, SourceLocation(file.as_posix()))])


def _in_transformers(name: str) -> bool:
    import transformers

    return name in dir(transformers)


def _remote_class(folder: str, reference: str) -> Any:
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    what = f"{named(reference)} of {named(folder)} cannot be imported"
    hint = "install what it needs, or a release of transformers that it is written for"
    return guarded(
        "hf-import", what, hint, lambda: get_class_from_dynamic_module(reference, folder)
    )
