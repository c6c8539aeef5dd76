"""Builds that are killed, starved or lied to: small ones of both families, in processes of their own; their digests."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import re
import resource
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from codesign import rundir
from codesign.config import BuildConfig, EngineBuildConfig, RunConfig
from codesign.errors import CodesignError
from codesign.line import LINES, new_line

SMALL: dict[str, Any] = {
    "name": "small",
    "seed": 3,
    "data": {"source": "digits", "limit": 200},
    "inputs": {"thresholds": "uniform"},
    "topology": {
        "input_bits": 2,
        "layers": [{"width": 12, "fan_in": 3, "bits": 2}, {"width": 10, "fan_in": 4, "bits": 2}],
    },
    "train": {"epochs": 3, "batch_size": 128, "threads": 1, "tensorboard": False},
    "rtl": {"form": "table"},
    "simulate": {"cocotb": False, "vectors": 20, "stress_vectors": 5},
    "synth": {"devices": ["xcvu9p"], "place_and_route": False},
}

TINY: dict[str, Any] = {
    "name": "tiny",
    "family": "engine",
    "seed": 1,
    "data": {"source": "digits", "limit": 200},
    "topology": {
        "input": [1, 8, 8],
        "bits": 3,
        "layers": [{"kind": "conv", "channels": 4, "stride": 4}, {"kind": "dense"}],
    },
    "train": {"epochs": 3, "batch_size": 128, "learning_rate": 0.01, "threads": 1, "tensorboard": False},
    "engine": {
        "pe": 4, "simd": 4, "weight_bits": 4, "activation_bits": 4, "weight_depth": 64, "bank_depth": 64,
        "param_depth": 16, "answer_depth": 16, "accumulator_bits": 16,
    },
    "simulate": {"vectors": 5, "stress_vectors": 1},
    "synth": {"devices": []},
}  # fmt: skip

FAMILIES = ("pipeline", "engine")

ONE_FAMILY = pytest.mark.parametrize(
    "undisturbed", ["pipeline", pytest.param("engine", marks=pytest.mark.slow)], indirect=True
)
"""Of a test whose subject both families share: one of them in the default tests."""

QUICK = {"pipeline": "optimize", "engine": "compile"}
"""The last stage that needs no tool."""

TIMES = re.compile(r"seconds.*|.*_per_s|build_s|run_s|wall_s|peak_bytes|build_cached|raw|made_from")
"""Keys of records that say how long something took, how much memory, or what was printed: they differ between equal
runs, and so do the digests of files that hold them, in `made_from`."""


def config(family: str, **changes: Any) -> RunConfig:
    """The small build of a family; `changes` replace whole sections."""
    if family == "engine":
        return EngineBuildConfig.model_validate({**TINY, **changes})
    return BuildConfig.model_validate({**SMALL, **changes})


def whole_build(family: str, run: Path) -> tuple[str, Path]:
    """Build up to the last stage that needs no tool, undisturbed."""
    assert wait(spawn(config(family), run, until=QUICK[family])) == 0, told(run)
    return family, run


def stages(family: str, until: str) -> list[str]:
    """Names of the stages up to and with one."""
    known = list(LINES[family].stages)
    return known[: known.index(until) + 1]


CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        *("codesign.nn", "codesign.extract", "codesign.report", "codesign.data", "codesign.passes", "sklearn.datasets"),
        *("codesign.accel.engine", "torch.profiler", "fault_lines"),
    ]
)


def spawn(build: RunConfig, run: Path, *, until: str, prepare: Callable[[], object] | None = None) -> BaseProcess:
    """Start a build in a process of its own, forked from one in which all is imported and nothing ever ran.

    It ends with 0, with 1 for an error of ours, with 2 for any other; `told` has the error's text.
    """
    process = CONTEXT.Process(target=_build, args=(build, run, until, prepare, dict(os.environ)))
    process.start()
    return process


def _build(
    build: RunConfig, run: Path, until: str, prepare: Callable[[], object] | None, environment: dict[str, str]
) -> None:
    os.environ.update(environment)
    code = 2
    try:
        if prepare is not None:
            prepare()
        new_line(build, run, folder=run.parent).build(until=until)
        code = 0
    except CodesignError as problem:
        with contextlib.suppress(OSError):
            _said(run).write_text(str(problem))
        code = 1
    except BaseException:  # noqa: BLE001 - the parent fails on it
        with contextlib.suppress(OSError):
            _said(run).write_text(traceback.format_exc())
    finally:
        os._exit(code)


def wait(process: BaseProcess, limit_s: float = 600.0) -> int:
    """Exit code of a process, negative for a signal."""
    process.join(limit_s)
    if process.exitcode is None:
        kill(process)
        raise AssertionError(f"a build did not end within {limit_s:g} s")
    return process.exitcode


def kill(process: BaseProcess) -> int:
    """Send SIGKILL, to the build alone: what it started must end by itself. Returns how it ended."""
    process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


HOLD_S = 0.4
"""How long a build that is to be killed waits before it declares a stage finished: else short ones are never hit."""


def hold_open() -> None:
    """Make this process wait HOLD_S with each stage's work done, but not yet declared finished."""
    real = rundir.write_json

    def slow(path: Path, value: Any) -> None:
        if path.name == "stage.json":
            time.sleep(HOLD_S)
        real(path, value)

    rundir.write_json = slow


def kill_in(build: RunConfig, run: Path, *, stage: str, after_s: float, until: str) -> bool:
    """Build, and kill `after_s` seconds after the stage began; False where the build had ended by then."""
    partial = run / f".{LINES[build.family].folder_name(stage)}.partial"
    process = spawn(build, run, until=until, prepare=hold_open)
    end = time.monotonic() + 300
    while not partial.exists() and time.monotonic() < end:
        if process.exitcode is not None:
            assert process.exitcode == 0, told(run)
            return False
        time.sleep(0.002)
    time.sleep(after_s)
    return kill(process) == -signal.SIGKILL


def told(run: Path) -> str:
    """What a build that ended badly said."""
    return _said(run).read_text() if _said(run).exists() else ""


def _said(run: Path) -> Path:
    """Where a build leaves what it said: beside the run's folder, under the name of its parent (a disk may be full)."""
    return run.parent.parent / f"{run.parent.name}.error"


def limit_files(size: int) -> None:
    """Hold this process to files of so many bytes: a write beyond is refused by the system, in mid-file."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def finished(run: Path) -> list[str]:
    """Folders of finished stages."""
    return sorted(path.name for path in run.iterdir() if path.name[0].isdecimal())


def digests(run: Path) -> dict[str, str]:
    """SHA-256 by file of all finished stages and the manifest, without times and logs.

    Left out: *.log, files under `work`, `lint` and a device's folder (what tools wrote on their way), the page of the
    report, whose figures are in figures.json, and the keys TIMES of all JSON.
    """
    found: dict[str, str] = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if not path.is_file() or name.startswith(".") or path.suffix in (".log", ".html"):
            continue
        parts = name.split("/")
        if len(parts) > 2 and parts[0].endswith(("_simulate", "_synth")) or "lint" in parts[1:-1]:
            continue
        if path.suffix == ".json" and parts[-1] not in ("model.json",):
            value = _timeless(json.loads(path.read_text()))
            if name == "manifest.json":
                value.pop("folder")
            content = json.dumps(value, sort_keys=True).encode()
        else:
            content = path.read_bytes()
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {key: _timeless(item) for key, item in value.items() if not TIMES.fullmatch(key)}
        if isinstance(kept.get("files"), dict):  # a stage's record: digests of files that hold times, or are left out
            kept["files"] = sorted(name for name in kept["files"] if not name.endswith(".log"))
        return kept
    return [_timeless(item) for item in value] if isinstance(value, list) else value
