"""Measures an engine's activity in Verilator: toggle rates by part for the energy model, and how often it does what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from codesign.accel.engine.structure import GROUPS
from codesign.errors import ConfigError, DataError
from codesign.resources import resource_dir
from codesign.rtl.engine import EngineDesign
from codesign.simulate.build import Built, build_bench
from codesign.simulate.engine import HARNESS, EngineJob, script_of
from codesign.tools import run
from codesign.tools.verilator import Verilator, find_verilator

__all__ = ["Activity", "Net", "build_counting_engine", "measure_activity", "read_saif"]

_SAIF = ("--trace-saif", "-CFLAGS", "-DENGINE_SAIF")
_TOKEN = re.compile(r'"[^"]*"|[()]|[^\s()]+')

_INSTANCES = {
    "array": "array",
    "operands": "array",
    "accumulator": "accumulators",
    "serializer": "requantizer",
    "requantizer": "requantizer",
    "writer": "requantizer",
    "weight_memory": "memories",
    "parameter_memory": "memories",
    "program_memory": "memories",
    "image_loader": "streams",
    "weight_loader": "streams",
    "unload": "streams",
}
"""Instances of engine_core, and the group of each; the activation banks are `banks[n]`, all else is control."""


@dataclass(frozen=True)
class Net:
    """One bit: where it is (instances from the top down, and its name), clocks in which it was 1, and its changes."""

    path: tuple[str, ...]
    name: str
    high: int
    changes: int


@dataclass(frozen=True)
class Activity:
    """What a run did, sampled once a clock.

    clocks:  samples. rates: by group of modules, the mean share of its bits that change in a clock; the words that
             memories hold are left out.
    nets:    every bit.
    """

    clocks: int
    rates: Mapping[str, float]
    nets: tuple[Net, ...]

    def high(self, *path: str) -> int:
        """Clocks in which a signal of one bit was 1, summed over all instances that match.

        path: the end of the signal's path, such as ("weight_memory", "read"). No match is a ConfigError.
        """
        *instances, name = path
        found = [
            n.high for n in self.nets if n.name == name and n.path[len(n.path) - len(instances) :] == (*instances,)
        ]
        if not found:
            raise ConfigError(f"the simulation counted no signal {'.'.join(path)!r}")
        return sum(found)


def build_counting_engine(
    folder: Path, *, work: Path, verilator: Verilator | None = None, timeout_s: float = 600, jobs: int = 1
) -> Built:
    """Compile the engine of `folder` with its harness, to count activity; otherwise as `build_engine`."""
    work.mkdir(parents=True, exist_ok=True)
    bench = {HARNESS: (resource_dir("sim") / HARNESS).read_bytes()}
    return build_bench(
        EngineDesign.load(folder),
        folder,
        bench,
        prefix="Vengine",
        verilator=verilator or find_verilator(),
        work=work,
        timeout_s=timeout_s,
        jobs=jobs,
        extra=_SAIF,
    )


def measure_activity(built: Path, job: EngineJob, *, work: Path, seed: int = 1, timeout_s: float = 600) -> Activity:
    """Run one job on an engine of `build_counting_engine`, and count from its START command to the end of its run.

    `Activity.rates` is what `codesign.accel.engine.energy` takes as `toggles`. The counts include the clocks in which
    the harness writes the command, where nothing else moves.
    """
    work.mkdir(parents=True, exist_ok=True)
    script = script_of(job)
    start = max(i for i, line in enumerate(script) if re.fullmatch(r"W 8 1", line))
    script[start:start] = ["S 1"]
    script.insert(start + 3, "S 0")
    (work / "script.txt").write_text("\n".join(script) + "\n", encoding="ascii")
    file = work.resolve() / "activity.saif"
    command: list[str | Path] = [built.resolve(), (work / "script.txt").resolve(), str(seed), file]
    run(command, work, log="run.log", timeout_s=timeout_s)
    return read_saif(file)


def read_saif(path: Path) -> Activity:
    """Read a SAIF file of an engine; what is not one is a DataError."""
    try:
        text = path.read_text(encoding="ascii")
        duration = re.search(r"\(DURATION (\d+)\)", text)
        if duration is None:
            raise ValueError("it states no duration")
        clocks = int(duration[1])
        nets = tuple(_nets(text[text.index("(INSTANCE") :]))
    except (OSError, ValueError, IndexError, KeyError) as problem:
        raise DataError(f"{path} is no SAIF file that can be read ({problem!r})") from None
    if not nets or not clocks:
        raise DataError(f"{path} holds no activity: {len(nets)} bits over {clocks} clocks")
    bits, changes = dict.fromkeys(GROUPS, 0), dict.fromkeys(GROUPS, 0)
    for net in nets:
        if net.name.startswith("words[") and net.path[-1] != "operands":
            continue  # what a memory holds is not what an access moves
        group = _group(net.path)
        bits[group] += 1
        changes[group] += net.changes
    try:
        rates = {group: changes[group] / bits[group] / clocks for group in GROUPS if bits[group]}
    except OverflowError:
        raise DataError(f"{path} is no SAIF file that can be read: its counts are beyond all simulations") from None
    return Activity(clocks, rates, nets)


def _nets(text: str) -> Iterator[Net]:
    """Yield the bits of a SAIF body: nested (INSTANCE name ...), (NET ...), (name (T0 n) (T1 n) (TX n) (TC n))."""
    path: list[str] = []
    kinds: list[str] = []
    found: dict[str, int] = {}
    tokens = _TOKEN.findall(text)
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token == ")":
            kind = kinds.pop()
            if kind == "INSTANCE":
                path.pop()
            elif kind not in ("NET", "count"):
                yield Net(tuple(path), kind.replace("\\", ""), found.get("T1", 0), found.get("TC", 0))
                found = {}
            if not kinds:
                return
        elif token == "(":
            head = tokens[index + 1]
            index += 1
            if head == "INSTANCE":
                path.append(tokens[index + 1].strip('"').replace("\\", ""))
                index += 1
                kinds.append(head)
            elif head == "NET" or kinds and kinds[-1] == "NET":
                kinds.append(head)
            else:
                found[head] = int(tokens[index + 1])
                index += 1
                kinds.append("count")
        index += 1
    raise ValueError("it ends before its last bracket")


def _group(path: tuple[str, ...]) -> str:
    """Group of the instance at `path`."""
    for name in path:
        if name.startswith("banks["):
            return "memories"
        if name in _INSTANCES:
            if name == "array" and any(part == "tree" or part.startswith("tree[") for part in path):
                return "tree"
            return _INSTANCES[name]
    return "control"
