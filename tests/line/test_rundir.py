"""Run folders: a stage is whole or absent, equal inputs are kept, a second writer is refused."""

import errno
import multiprocessing
from pathlib import Path

import pytest

from codesign.errors import RunError
from codesign.rundir import RunFolder, digest_json, read_json, read_manifest, write_json


def write(name: str, text: str):
    def work(folder: Path) -> None:
        (folder / name).write_text(text)

    return work


def test_stage_is_kept_for_equal_inputs(tmp_path):
    run = RunFolder(tmp_path)
    assert run.compute("1_data", "k1", write("a", "one"))
    assert not run.compute("1_data", "k1", write("a", "two"))
    assert (run.folder("1_data") / "a").read_text() == "one"
    assert run.compute("1_data", "k2", write("a", "two"))
    assert (run.folder("1_data") / "a").read_text() == "two"
    assert not list(tmp_path.glob(".*partial")) and not list(tmp_path.glob(".*old"))


def test_failed_stage_leaves_the_finished_one(tmp_path):
    run = RunFolder(tmp_path)
    run.compute("1_data", "k1", write("a", "one"))

    def fail(folder: Path) -> None:
        (folder / "a").write_text("half")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        run.compute("1_data", "k2", fail)
    assert (run.folder("1_data") / "a").read_text() == "one"
    assert run.done("1_data", "k1") and not run.done("1_data", "k2")


def test_partial_work_is_handed_back_for_the_same_key(tmp_path):
    run = RunFolder(tmp_path)
    seen = []

    def work(folder: Path) -> None:
        seen.append(sorted(p.name for p in folder.iterdir() if p.name != ".key"))
        (folder / f"checkpoint{len(seen)}").write_text("x")
        if len(seen) < 3:
            raise RuntimeError("killed")

    for _ in range(2):
        with pytest.raises(RuntimeError):
            run.compute("2_train", "k", work, keep_partial=True)
    run.compute("2_train", "k", work, keep_partial=True)
    assert seen == [[], ["checkpoint1"], ["checkpoint1", "checkpoint2"]]
    with pytest.raises(RuntimeError):
        run.compute("2_train", "other", lambda folder: (_ for _ in ()).throw(RuntimeError()), keep_partial=True)
    assert not (tmp_path / ".2_train.partial" / "checkpoint1").exists()


def test_full_disk_is_named(tmp_path):
    def full(folder: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / "x"))

    with pytest.raises(RunError, match="disk is full.*cods resume"):
        RunFolder(tmp_path).compute("1_data", "k", full)


def _hold(path: Path, ready, release) -> None:
    with RunFolder(path).locked():
        ready.set()
        release.wait(30)


def test_second_writer_is_refused(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready, release))
    holder.start()
    try:
        assert ready.wait(30)
        with pytest.raises(RunError, match="in use by another process"), RunFolder(tmp_path).locked():
            pass
    finally:
        release.set()
        holder.join(30)
    with RunFolder(tmp_path).locked():
        pass


def test_damaged_json_is_named(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": [1, 2]})
    path.write_text(path.read_text()[:-4])
    with pytest.raises(RunError, match="x.json"):
        read_json(path)
    with pytest.raises(RunError, match="missing"):
        read_json(tmp_path / "y.json")


def test_digest_does_not_depend_on_key_order():
    assert digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    assert digest_json({"a": 1}) != digest_json({"a": 2})


def test_a_stage_follows_the_files_of_what_it_reads(tmp_path):
    run = RunFolder(tmp_path)
    run.compute("1_data", "k", write("a", "one"))
    assert run.compute("2_train", "k", write("b", "from one"), sources=["1_data"])
    assert not run.compute("2_train", "k", write("b", "from one"), sources=["1_data"])
    (run.folder("1_data") / "a").write_text("changed by hand")
    run.compute("1_data", "k", write("a", "one"))
    assert run.done("2_train", "k", ["1_data"]), "the same bytes again"
    (run.folder("1_data") / "a").write_text("changed by hand")
    run.compute("1_data", "k", write("a", "two"))
    assert not run.done("2_train", "k", ["1_data"])


def test_damaged_manifest_is_named_with_what_to_do(tmp_path):
    (tmp_path / "manifest.json").write_text('{"name": "small", "fold')
    with pytest.raises(RunError, match=r"manifest.json cannot be read .*cods build CONFIG --run .*stages are kept"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text('{"name": "small"}')
    with pytest.raises(RunError, match="an entry is missing"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "it has no result yet"),
        ({"result.json": {"folder": ""}}, "it returned no Verilog that could be checked"),
        ({"result.json": {"folder": "jobs/a"}, "jobs/a/manifest.json": {}}, "is a run of its own: give .*jobs/a"),
        (
            {"result.json": {"best": "x", "arms": {"x": {"best": {"folder": "jobs/a"}}}}, "design/design.json": {}},
            "`cods ci .*design` checks the Verilog",
        ),
    ],
)
def test_a_search_given_for_a_run_is_told_what_fits_it(tmp_path, files, told):
    for name, content in {"manifest.json": {"kind": "search", "name": "a"}, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_json(tmp_path / name, content)
    with pytest.raises(RunError, match=f"is the folder of a search, not of a build.*cods resume.*{told}"):
        read_manifest(tmp_path)
