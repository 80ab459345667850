"""From what a user names, a class of transformers, a spec or a folder, to a model class.

Reading a target imports neither torch nor transformers unless the folder's architecture has to be
looked up.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from adaptergen import guard
from adaptergen.facts import Facts
from adaptergen.inspection.config_fields import sub_configs
from adaptergen.inspection.fault_isolation import Job, failed, guarded, limited
from adaptergen.problems import Failed, Problem, SourceLocation, listing, quote

#: How transformers writes numbers that JSON does not have, as in `{"__float__": "Infinity"}`.
_TAG = "__float__"
_TAGGED = {"Infinity": math.inf, "-Infinity": -math.inf, "NaN": math.nan}

#: What `auto_map` calls the class that is wanted, and how it says that it is somewhere else.
_AUTO, _ELSEWHERE = "AutoModelForCausalLM", "--"

#: In a name, what comes after the family: all classes of causal models end alike.
_AFTER_FAMILY = re.compile(r"(?<=.)(For|LMHead|With|Model|Config).*")
#: The most classes that a hint names.
_SHOWN = 4

_FIX_IMPORT = "install what the message names, or versions of torch and transformers that fit"
_FIX_NAME = "name a class such as `LlamaForCausalLM`, a spec, or a folder with a config.json"

#: Failures that values of a config.json may be the reason of.
_OF_VALUES = frozenset({"hf-config", "hf-forward"})


@dataclass(frozen=True)
class Target:
    """The name of a model class, and the fields of a config.json to start from."""

    architecture: str
    config: dict[str, Any] = field(default_factory=dict)
    remote: tuple[str, str] | None = None
    """A folder and what its `auto_map` says of a class in it, where code of it is to be run."""
    file: Path | None = None
    """The config.json that the fields are from."""
    or_config: bool = False
    """Whether a config class may be named, which stands for its causal model."""


def inspect_target(text: str, branches: bool, trust_remote_code: bool, seconds: float) -> Facts:
    """The facts of a target, observed in a process with a time limit.

    Raises `Failed`, and `ModuleNotFoundError` where torch or transformers are missing.
    """
    target = read_target(text, trust_remote_code)
    # Imported before the fork, so that what is missing is reported as such.
    from adaptergen.inspection.observe import observe_class

    # As text: the folder's own classes are not known here.
    def observed() -> str:
        import torch
        import transformers

        torch.set_num_threads(1)
        transformers.logging.set_verbosity_error()
        model_class = load_class(target)
        try:
            return observe_class(model_class, target.config, branches).to_json()
        except Failed as error:
            file = target.file
            raise Failed(_in_file(p, file) if file else p for p in error.problems) from error

    return Facts.model_validate_json(limited(Job(quote(target.architecture), observed), seconds))


def read_target(text: str, trust_remote_code: bool = False) -> Target:
    """What is named. Raises `Failed`."""
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

    if target.remote:
        return _remote_class(*target.remote)
    name = target.architecture
    try:
        found = guarded("hf-import", f"{quote(name)} cannot be imported", _FIX_IMPORT,
                        lambda: getattr(transformers, name))  # fmt: skip
    except Failed as error:
        if isinstance(error.__cause__, AttributeError):
            raise _unknown(name) from error
        raise
    # A class whose packages are missing is a stand-in that says so when it is used.
    config = guarded("hf-import", f"{quote(name)} cannot be used", _FIX_IMPORT,
                     lambda: getattr(found, "config_class", None))  # fmt: skip
    if config is not None:
        return found
    if isinstance(found, type) and issubclass(found, transformers.PreTrainedConfig):
        return _of_config(found, target)
    raise _unknown(name)


def read_config(path: Path) -> Any:
    """A config.json as transformers reads it: an object unless the file is wrong.

    Only a regular file of moderate size is read: a pipe may never end, nor a device. Raises
    `OSError` or `ValueError`.
    """
    text = guard.read(path).decode("utf-8")
    try:
        return json.loads(text, object_hook=_number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _number(found: dict[str, Any]) -> Any:
    if found.keys() == {_TAG} and isinstance(found[_TAG], str):
        return _TAGGED.get(found[_TAG], found)
    return found


def _in_file(problem: Problem, file: Path) -> Problem:
    if problem.code not in _OF_VALUES:
        return problem
    hint = f"check the values in {quote(file.name)}, or observe another release of transformers"
    return replace(problem, hint=hint, location=SourceLocation(file.as_posix()))


def _of_folder(path: Path, trust_remote_code: bool) -> Target:
    file = path / "config.json" if path.is_dir() else path
    fields = _fields(file)
    listed = fields.get("architectures")
    name = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], str) else ""
    auto_map = fields.get("auto_map")
    mapped = auto_map if isinstance(auto_map, dict) else {}
    value = mapped.get(_AUTO)
    reference = value if isinstance(value, str) else ""
    if trust_remote_code and reference:
        if _ELSEWHERE in reference:
            raise _elsewhere(file, name, reference)
        return Target(name or reference, fields, (file.parent.as_posix(), reference), file)
    if not name:
        hint = 'add the name of the model class, as in `"architectures": ["LlamaForCausalLM"]`'
        raise _of_file("hf-folder", file, f"{quote(file.name)} names no architecture", hint)
    if mapped and not _in_transformers(name):
        raise _not_run(file, name, mapped, reference)
    return Target(name, fields, file=file)


def _fields(file: Path) -> dict[str, Any]:
    try:
        fields = read_config(file)
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else str(error)
        hint = "name a class of transformers, a spec, or a folder with a config.json"
        message = f"{quote(file.name)} cannot be read: {what}"
        raise _of_file("hf-folder", file, message, hint) from error
    if not isinstance(fields, dict):
        hint = "name the config.json of a checkpoint, or its folder"
        raise _of_file("hf-folder", file, f"{quote(file.name)} holds no object", hint)
    return fields


def _not_run(file: Path, name: str, mapped: dict[str, Any], reference: str) -> Failed:
    """The class is not one of transformers, and `auto_map` says more or less where it is."""
    if not reference:
        others = listing([key for key in mapped if key != _AUTO][:3]) or "nothing"
        message = f"transformers has no class {quote(name)}, and `auto_map` names {others}"
        message += f" but no {quote(_AUTO)}"
        hint = f'if its code is in the folder, add it: `"{_AUTO}": "FILE.CLASS"`'
        return _of_file("remote-code", file, message, hint)
    if _ELSEWHERE in reference:
        return _elsewhere(file, name, reference)
    message = f"{quote(name)} is code of the folder, and nothing of it was run"
    hint = "read that code, and add --trust-remote-code if you trust it"
    return _of_file("remote-code", file, message, hint)


def _elsewhere(file: Path, name: str, reference: str) -> Failed:
    """Transformers would fetch the code, and run what is not in the folder that was read."""
    repository, _, here = reference.rpartition(_ELSEWHERE)
    message = f"{quote(reference)} is code of another repository, and nothing of it was run"
    hint = f"put the code of {quote(repository)} into the folder, and write {quote(here)} instead"
    if name and _in_transformers(name):
        hint = "leave out --trust-remote-code: transformers has a class of the same name"
    return _of_file("remote-code", file, message, hint)


def _of_file(code: str, file: Path, message: str, hint: str) -> Failed:
    return Failed([Problem(code, message, hint, SourceLocation(file.as_posix()))])


def _in_transformers(name: str) -> bool:
    import transformers

    return name in dir(transformers)


def _remote_class(folder: str, reference: str) -> Any:
    from transformers.dynamic_module_utils import get_class_from_dynamic_module

    what = f"{quote(reference)} of {quote(folder)} cannot be imported"
    hint = "install what it needs, or a release of transformers that it is written for"
    return guarded(
        "hf-import", what, hint, lambda: get_class_from_dynamic_module(reference, folder)
    )


def _of_config(config_class: Any, target: Target) -> Any:
    """The causal model of a config class."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as known

    causal = next((known[key] for key in _model_types(config_class) if key in known), "")
    if causal and target.or_config:
        model_class = load_class(Target(causal))
        # Some types of model borrow a class that is made of the config of another.
        if model_class.config_class in (config_class, *sub_configs(config_class).values()):
            return model_class
    message = f"{quote(target.architecture)} is a config class, and has no causal model of its own"
    if not target.or_config:
        message = f"{quote(target.architecture)} is a config class, not a model class"
    raise failed("hf-class", message, _models_hint(config_class) or _FIX_NAME)


def _unknown(name: str) -> Failed:
    hint = _nearest_hint(name) or _FIX_NAME
    return failed("hf-class", f"transformers has no model class {quote(name)}", hint)


def _model_types(config_class: Any) -> list[str]:
    """The types of model that have this config."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return [key for key, name in CONFIG_MAPPING_NAMES.items() if name == config_class.__name__]


def _models_hint(config_class: Any) -> str:
    """Names model classes that belong to a config class; empty if no mapping has one."""
    from transformers.models.auto import modeling_auto

    types = _model_types(config_class)
    causal = set(modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())
    tables = [v for n, v in vars(modeling_auto).items() if re.match(r"MODEL_.*MAPPING_NAMES$", n)]
    found = (table[key] for table in tables for key in types if key in table)
    names = {name for one in found for name in ((one,) if isinstance(one, str) else one)}
    # Those that give tokens come first; the bare model gives hidden states.
    order = sorted(names, key=lambda n: (n not in causal, "Generation" not in n, n))
    return f"name a model class: {listing(order[:_SHOWN], 'or')}" if order else ""


def _nearest_hint(name: str) -> str:
    """Names the causal models whose family is written most alike; empty if none is."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    families: dict[str, list[str]] = {}
    for known in sorted(set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.values())):
        families.setdefault(_family(known), []).append(known)
    close = get_close_matches(_family(name[:100]), families, n=3)
    names = [one for family in close for one in families[family]]
    return f"did you mean {listing(names[:_SHOWN], 'or')}?" if names else ""


def _family(name: str) -> str:
    return (_AFTER_FAMILY.sub("", name) or name).lower()
