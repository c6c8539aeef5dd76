"""A full disk, a real one: builds on a small tmpfs (where one may be mounted), and files that the system cuts off."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from fault_lines import ONE_FAMILY, QUICK, config, digests, finished, limit_files, spawn, told, wait

from codesign.line import LINES

SHARES = (0.02, 0.35, 0.8)
"""Of the bytes that the build needs: what the disk holds."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own; `resize` changes how much it holds."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def resize(disk: Path, size: int) -> None:
    pages = -(-size // 4096) * 4096
    subprocess.run(["mount", "-o", f"remount,size={pages}", disk], check=True)


@ONE_FAMILY
def test_a_full_disk_is_named_and_nothing_finished_is_lost(undisturbed: tuple[str, Path], small_disk: Path) -> None:
    family, whole = undisturbed
    needed = sum(-(-path.stat().st_size // 4096) * 4096 for path in whole.rglob("*") if path.is_file())
    run, met = small_disk / "run", 0
    before: dict[str, int] = {}
    for share in SHARES:
        used = shutil.disk_usage(small_disk).used
        resize(small_disk, max(int(needed * share), used + 4096))
        code = wait(spawn(config(family), run, until=QUICK[family]))
        if code:
            met += 1
            assert code == 1, told(run)
        after = {name: (run / name).stat().st_ino for name in finished(run)} if run.exists() else {}
        assert before.items() <= after.items(), "a finished stage was lost or made again"
        assert all((run / name / "stage.json").is_file() for name in after)
        before = after
    assert met >= 2, "the disk was not full: nothing was tested"
    resize(small_disk, 4 * needed)
    assert wait(spawn(config(family), run, until=QUICK[family])) == 0, told(run)
    assert digests(run) == digests(whole)


@ONE_FAMILY
def test_a_full_disk_says_so(undisturbed: tuple[str, Path], small_disk: Path) -> None:
    family, whole = undisturbed
    run = Path(shutil.copytree(whole, small_disk / "run"))
    shutil.rmtree(run / LINES[family].folder_name("extract"))
    resize(small_disk, shutil.disk_usage(small_disk).used + 4096)
    assert wait(spawn(config(family), run, until="extract")) == 1
    said = "disk is full while writing .*finished stages are kept.*cods resume"
    assert re.search(said, told(run)), told(run)
    resize(small_disk, 1 << 26)
    assert wait(spawn(config(family), run, until=QUICK[family])) == 0, told(run)
    assert digests(run) == digests(whole)


@ONE_FAMILY
@pytest.mark.parametrize(
    "size", [pytest.param(0, marks=pytest.mark.slow), 700, pytest.param(6000, marks=pytest.mark.slow)]
)
def test_a_file_that_is_cut_off_is_an_error_and_never_read(
    undisturbed: tuple[str, Path], tmp_path: Path, size: int
) -> None:
    """RLIMIT_FSIZE: the system refuses the write that crosses the limit, in the middle of a file."""
    family, whole = undisturbed
    run = tmp_path / "run"
    code = wait(spawn(config(family), run, until=QUICK[family], prepare=partial(limit_files, size)))
    assert code == 1, told(run)
    for name in finished(run) if run.exists() else []:
        assert (run / name / "stage.json").is_file()
    assert wait(spawn(config(family), run, until=QUICK[family])) == 0, told(run)
    assert digests(run) == digests(whole)
