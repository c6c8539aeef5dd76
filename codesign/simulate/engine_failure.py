"""Finds where an engine first went wrong in a failed run, and writes the waveform of that place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from codesign.errors import CodesignError, ToolFailed
from codesign.simulate.build import Built
from codesign.simulate.engine import build_engine
from codesign.simulate.engine_coverage import SEQUENCER
from codesign.simulate.engine_golden import GoldenLayer, golden_layers
from codesign.simulate.traced import Trace, build_traced
from codesign.tools import run
from codesign.tools.verilator import find_verilator

__all__ = ["CLOCKS_AFTER", "CLOCKS_BEFORE", "Failed", "explain_failure"]

CLOCKS_BEFORE = 20_000
"""Clocks of the waveform before the first thing that is wrong; where the run is shorter, all of it."""

CLOCKS_AFTER = 200
"""Clocks of the waveform after it."""

_FEW_CLOCKS = 500_000
"""Clocks up to the failure below which compiling takes longer than simulating: nothing is optimised then."""

_CORE = "core"
"""Instance of engine_core in the top module."""


@dataclass(frozen=True)
class Failed:
    """A run that failed: which script, at which of all its images, which is which golden image.

    ordinal: images before it in the script. image: its number among the golden images. layer: one whose cycles differ
    from the law, where nothing else is known to be wrong.
    """

    script: Path
    ordinal: int
    image: int
    layer: int | None = None


@dataclass(frozen=True)
class _Found:
    """The first thing that is wrong: its clock, and a sentence."""

    clock: int
    text: str


def explain_failure(
    folder: Path, failed: Failed, program: Path, *, work: Path, seed: int, timeout_s: float
) -> list[str]:
    """Say what differs first in a failed run, and where its waveform is; `program` is the compiled engine that failed.

    The run is played again twice, clock by clock as it was: once to compare every word that a layer writes with what
    it must be, and once with every signal traced from `CLOCKS_BEFORE` clocks before the first wrong one, to
    `work`/waves.fst (.vcd where Verilator cannot write FST), at most 256 MB. What prevents this is said, not raised.
    """
    work.mkdir(parents=True, exist_ok=True)
    try:
        layers = golden_layers(folder, failed.image)
        log = _play(program, failed, work, "words", seed=seed, timeout_s=timeout_s)
        found = _first(log, layers, failed)
    except CodesignError as problem:
        return [f"no waveform: {problem}"]
    said = [found.text]

    def build(kind: Trace) -> Built:
        tool, quick = find_verilator(), found.clock < _FEW_CLOCKS
        return build_engine(folder, work=work, verilator=tool, timeout_s=timeout_s, jobs=2, trace=kind, quick=quick)

    try:
        built, kind = build_traced(build)
        begin, end = max(0, found.clock - CLOCKS_BEFORE), found.clock + CLOCKS_AFTER
        waves = work / f"waves.{kind}"
        waves.unlink(missing_ok=True)
        extra = ["--trace", waves.resolve(), str(begin), str(end)]
        again = _play(built.program, failed, work, "traced", seed=seed, timeout_s=timeout_s, extra=extra)
        said.append(f"waveform of clocks {begin:,} to {end:,} (clock n is at time 10 n, its edge at 10 n + 5): {waves}")
        if (traced := _first(again, layers, failed)) != found:
            said.append(
                f"the simulation with waveform differs, which depends on what registers hold at first: {traced.text}"
            )
    except CodesignError as problem:
        said.append(f"no waveform: {problem}")
    return said


@dataclass(frozen=True)
class _Log:
    """What engine_watch.sv wrote of one image.

    starts: (clock, layer); writes: by layer, (clock, address, value); stops: the numbers of each line H.
    """

    starts: tuple[tuple[int, int], ...]
    writes: Mapping[int, Sequence[tuple[int, int, int]]]
    stops: tuple[tuple[int, ...], ...]


def _play(
    program: Path,
    failed: Failed,
    work: Path,
    name: str,
    *,
    seed: int,
    timeout_s: float,
    extra: Sequence[str | Path] = (),
) -> _Log:
    words = work.resolve() / f"{name}.txt"
    words.unlink(missing_ok=True)
    command: list[str | Path] = [program.resolve(), failed.script.resolve(), str(seed), f"+words={words}"]
    run([*command, f"+image={failed.ordinal}", *extra], work, log=f"{name}.log", timeout_s=timeout_s)
    starts: list[tuple[int, int]] = []
    stops: list[tuple[int, ...]] = []
    writes: dict[int, list[tuple[int, int, int]]] = {}
    try:
        for line in words.read_text(encoding="ascii").splitlines():
            kind, *rest = line.split()
            if kind == "S":
                starts.append((int(rest[0]), int(rest[1])))
            elif kind == "H":
                stops.append(tuple(map(int, rest)))
            else:
                clock, layer, last, address = map(int, rest[:4])
                writes.setdefault(layer, []).append((clock, address, int(rest[5 if last else 4], 16)))
    except (OSError, ValueError, IndexError) as problem:
        raise ToolFailed(f"{words} cannot be read ({problem!r})", log=work / f"{name}.log") from None
    return _Log(tuple(starts), writes, tuple(stops))


def _first(log: _Log, layers: Sequence[GoldenLayer], failed: Failed) -> _Found:
    """Return what is wrong first: a word, a layer that does not end, a count of cycles, or the answers' way out."""
    image = f"image {failed.image}"
    wrong = _first_word(log, layers)
    if wrong is not None:
        return _Found(wrong.clock, f"{image}: {wrong.text}")
    stop = next((stop for stop in log.stops if stop[3] >= failed.ordinal), None)  # it may hang after its answers
    if stop is not None:
        clock, state, layer, _, _, since = stop
        name = SEQUENCER[state]
        where = f" of {layers[layer]}" if name not in ("IDLE", "IMAGE", "LOAD") and layer < len(layers) else ""
        text = f"every word that was written is right; {_CORE}.sequencer.state is {name}{where} from clock {since:,}"
        return _Found(since, f"{image}: {text} until the run was stopped at clock {clock:,}")
    last = max((clock for rows in log.writes.values() for clock, _, _ in rows), default=0)
    if failed.layer is not None:
        start = next((clock for clock, layer in log.starts if layer == failed.layer), last)
        text = f"every word is right, but {layers[failed.layer]} takes other cycles ({_CORE}.counters.layer_cycles)"
        return _Found(start, f"{image}: {text}; it starts at clock {start:,}")
    if not log.starts:
        return _Found(0, f"{image}: no layer of it ever started ({_CORE}.sequencer.layer_start)")
    if set(range(len(layers))) - {layer for _, layer in log.starts}:
        layer = layers[log.starts[-1][1]]
        text = f"every word that was written is right; after {layer} nothing follows ({_CORE}.sequencer.state)"
        return _Found(log.starts[-1][0], f"{image}: {text}")
    text = (
        f"every word of every layer is right until clock {last:,}; what follows is not ({_CORE}.unload, m_axis_tdata)"
    )
    return _Found(last, f"{image}: {text}")


def _first_word(log: _Log, layers: Sequence[GoldenLayer]) -> _Found | None:
    """Return the first wrong word of the first layer that has one: of each address, what was written last counts."""
    begun = [layer for _, layer in log.starts]
    for layer in layers:
        rows = log.writes.get(layer.index, ())
        written = {address: (clock, value) for clock, address, value in rows}
        found: list[_Found] = []
        signal = f"{_CORE}.result_{'answer' if layer.fields['last'] else 'word'}"
        for address, (clock, value) in written.items():
            if address not in layer.words:
                text = f"{layer} writes to address {address}, which is none of its own ({_CORE}.result_address)"
                found.append(_Found(clock, f"{text}, at clock {clock:,}"))
                continue
            wanted, mask = layer.words[address]
            if value & mask != wanted:
                place = f"{layer}, {layer.place(address)}: {signal} differs first"
                digits = -(-mask.bit_length() // 4)
                text = f"{place}: wanted {wanted:0{digits}x}, got {value & mask:0{digits}x}, written at clock {clock:,}"
                found.append(_Found(clock, text))
        if found:
            return min(found, key=lambda one: one.clock)
        missing = [address for address, (_, mask) in layer.words.items() if mask and address not in written]
        if missing and any(other > layer.index for other in begun):
            clock = next(clock for clock, other in log.starts if other > layer.index)
            text = f"{layer} ends without {layer.place(missing[0])}, {len(missing)} words in all"
            return _Found(clock, f"{text} ({_CORE}.result_write), at clock {clock:,}")
    return None
