"""`adaptergen update`: what follows from a change is shown, made when asked, all or nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from adaptergen.drift.edits import edited, verified_edit
from adaptergen.observe import update
from adaptergen.observe.commands import Known, with_lock
from adaptergen.problems import Failed
from adaptergen.spec.load import load_shape

sys.path.insert(0, str(Path(__file__).parent))
from changes import EVERY
from hybrid_support import TEXT, pretend, put

pytestmark = pytest.mark.heavy

Run = Callable[..., tuple[int, str, str]]
NAMED = {change.name: change for change in EVERY}


@pytest.fixture
def spec_file(spec: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, run: Run) -> Path:
    """The spec of the hybrid, locked, in the working directory."""
    shutil.copytree(spec.parent, tmp_path / "specs")
    monkeypatch.chdir(tmp_path)
    # Shapes are known by their relative path, which another test may have had too.
    load_shape.cache_clear()
    put(TEXT, monkeypatch)
    path = Path("specs") / spec.name
    code, _, err = run("lock", path)
    assert code == 0, err
    return path


def files() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def test_nothing_to_do(spec_file: Path, run: Run) -> None:
    before = files()
    code, out, err = run("update", spec_file)
    assert code == 0, out + err
    assert "nothing changed that it rests on" in out and "Fine: all as promised" in out
    assert {name: data for name, data in files().items() if name in before} == before
    assert (Path("generated") / "drift_hybrid" / "HOOKS.md").is_file()


@pytest.mark.parametrize(
    ("name", "removed", "added"),
    [
        (
            "e: a path was renamed",
            "  unembed: {shape: unembedding, path: lm_head}",
            "  unembed: {shape: unembedding, path: embed_out}",
        ),
        ("a kind of layer has another name", None, "      formerly: [convolution]"),
    ],
)
def test_a_change_that_follows(
    name: str,
    removed: str | None,
    added: str,
    spec_file: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(NAMED[name].apply(TEXT), monkeypatch)
    before, text = files(), spec_file.read_text("utf-8")
    code, out, err = run("update", spec_file)
    assert code == 1 and "--write" in err and files() == before
    assert f"\n+{added}\n" in out and (not removed or f"\n-{removed}\n" in out)
    code, out, err = run("update", spec_file, "--write")
    assert code == 0, out + err
    lines, now = text.splitlines(), spec_file.read_text("utf-8").splitlines()
    assert [line for line in now if line != added] == [line for line in lines if line != removed]
    assert run("drift", spec_file)[0] == 0 and run("lock", spec_file, "--check")[0] == 0
    assert run("build", spec_file, "--check")[0] == 0


PATH = NAMED["e: a path was renamed"]


def replace(spec_file: Path, old: str, new: str, end: str = "\n") -> str:
    """Another text in the spec, and lines that end in another way."""
    text = spec_file.read_text("utf-8")
    assert text.count(old) == 1
    spec_file.write_bytes(text.replace(old, new).replace("\n", end).encode())
    return text.replace(old, new)


def test_a_quoted_path_and_line_ends_of_another_system(
    spec_file: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = replace(spec_file, "path: lm_head", "path: 'lm_head'", "\r\n")
    before = files()
    code, out, err = run("update", spec_file)
    assert code == 0 and before.items() <= files().items(), out + err
    put(PATH.apply(TEXT), monkeypatch)
    code, out, err = run("update", spec_file, "--write")
    assert code == 0, out + err
    wanted = text.replace("'lm_head'", "'embed_out'").replace("\n", "\r\n")
    assert spec_file.read_bytes() == wanted.encode()


def test_one_more_release_is_a_change_of_the_spec(spec_file: Path, run: Run) -> None:
    import transformers

    version = transformers.__version__
    old = f"transformers: [{version}]"
    text = replace(spec_file, old, 'transformers: ["5.12.1"]')
    before = files()
    code, out, err = run("update", spec_file)
    assert code == 1 and "--write" in err and files() == before
    assert f'transformers: ["5.12.1", "{version}"]' in out
    code, out, err = run("update", spec_file, "--write")
    assert code == 0, out + err
    wanted = text.replace('["5.12.1"]', f'["5.12.1", "{version}"]')
    assert spec_file.read_text("utf-8") == wanted
    assert run("update", spec_file)[0] == 0


def test_a_path_of_a_newer_release_alone(
    spec_file: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Older releases do not have the path: the spec claims them no more, and their facts stay."""
    import transformers

    version = transformers.__version__
    pretend("5.99.0", monkeypatch)
    put(PATH.apply(TEXT), monkeypatch)
    text, before = spec_file.read_text("utf-8"), files()
    code, out, err = run("update", spec_file)
    assert code == 1 and "--write" in err and files() == before
    code, out, err = run("update", spec_file, "--write")
    assert code == 0, out + err
    wanted = text.replace("path: lm_head", "path: embed_out").replace(f"[{version}]", "[5.99.0]")
    assert spec_file.read_text("utf-8") == wanted != text
    assert run("build", spec_file, "--check")[0] == 0
    code, out, _ = run("drift", spec_file, "--from", version, "--to", "5.99.0")
    assert (
        code == 1
        and "breaking: `lm_head`: the path of the module changed from `lm_head` to `embed_out`"
        in out
    )


def test_an_edit_for_people(spec_file: Path, run: Run) -> None:
    import transformers

    version = transformers.__version__
    new = "verified_with:\n  transformer_lens: [4.3.0]\n  transformers:\n  - >-\n    5.12.1\n"
    old = f"verified_with: {{transformer_lens: [4.3.0], transformers: [{version}]}}\n"
    replace(spec_file, old, new)
    before = files()
    for options in ((), ("--write",)):
        code, _, err = run("update", spec_file, *options)
        assert code == 2 and "specs/drift_hybrid.yaml:11:3: error[update-by-hand]: " in err
        assert f"write `transformers: [5.12.1, {version}]` here by hand" in err
        assert files() == before


def test_an_edit_with_which_the_spec_cannot_be_loaded(spec_file: Path) -> None:
    spec = with_lock(spec_file, None)
    edit = verified_edit(spec.plan, "05.24.0")
    assert edit is not None
    with pytest.raises(Failed) as caught:
        update._with_edits(spec, [edit], edited([edit]))
    assert [problem.code for problem in caught.value.problems] == ["update-by-hand", "bad-version"]


def test_problems_are_placed_in_the_edited_text(spec_file: Path, run: Run) -> None:
    import transformers

    version = transformers.__version__
    old = f"verified_with: {{transformer_lens: [4.3.0], transformers: [{version}]}}\n"
    new = "verified_with:\n  transformer_lens: [4.3.0]\n  transformers:\n  - 5.12.1\n"
    contract = "contract: {is: read_only, reason: nobody knows}"
    hook = f"hook_out: {{shape: [batch, pos, d_vocab], tensor: logits, {contract}}}"
    replace(spec_file, old, new)
    text = replace(
        spec_file,
        "  unembed: {shape: unembedding, path: lm_head}\n",
        f"  unembed:\n    shape: unembedding\n    path: lm_head\n    hooks:\n      {hook}\n",
    )
    line = text.split("\n").index(f"      {hook}") + 2
    before = files()
    code, _, err = run("update", spec_file, "--write")
    assert code == 2 and files() == before
    assert f"specs/drift_hybrid.yaml:{line}:7: error[lock-contract]: " in err
    assert f"{line} |       hook_out: {{shape:" in err


@pytest.mark.parametrize("ended", ["fails", "changed meanwhile", "edited by hand"])
def test_nothing_is_written_before_all_of_it_succeeded(
    ended: str, spec_file: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("update", spec_file)[0] == 0
    put(PATH.apply(TEXT), monkeypatch)
    if ended == "edited by hand":
        page = Path("generated") / "drift_hybrid" / "HOOKS.md"
        page.write_text("mine\n", encoding="utf-8")
    before = files()
    seen = []

    def verified(spec: Known) -> bool:
        seen.append(files())
        assert spec.plan.spec.components["unembed"].path == "embed_out"
        if ended == "changed meanwhile":
            spec_file.write_bytes(before[str(spec_file)] + b"# mine\n")
            before[str(spec_file)] += b"# mine\n"
        return ended != "fails"

    monkeypatch.setattr(update, "_verified", verified)
    code, _, err = run("update", spec_file, "--write")
    assert code == 1 and ("changed meanwhile" in err) == (ended == "changed meanwhile")
    untouched = {**before, str(spec_file): before[str(spec_file)].removesuffix(b"# mine\n")}
    assert seen == [untouched] and files() == before


def test_what_does_not_follow_is_left_to_people(
    spec_file: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(NAMED["a: a weight is used by a function and its module never called"].apply(TEXT),
        monkeypatch)  # fmt: skip
    before = files()
    code, out, err = run("update", spec_file, "--write")
    assert code == 2 and "silent: linear_attention" in out and "error[lock-uncalled]" in err
    assert files() == before
