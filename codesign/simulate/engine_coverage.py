"""Reads what sim/engine_watch.sv counted in an engine: states, transitions, layers, options, events, errors."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from codesign.accel.engine import EnginePoint, register_map
from codesign.errors import DataError
from codesign.rtl.engine import EngineDesign
from codesign.simulate.coverage import Coverage, Group

__all__ = ["SEQUENCER", "EngineFacts", "engine_facts", "read_watch"]

SEQUENCER = ("IDLE", "IMAGE", "FETCH", "WEIGHTS", "RUN", "WAIT", "UNLOAD", "LOAD")
"""States of the sequencer, by their number."""

_STATES: dict[str, tuple[str, ...]] = {
    "sequencer": SEQUENCER,
    "issue": ("idle", "reading", "waiting"),
    "image loader": ("idle", "taking", "full"),
    "weight loader": ("idle", "parameters", "weights", "full"),
    "unload": ("idle", "reading", "offering", "closing"),
}
"""Machines and their states, in the order in which engine_watch.sv numbers them."""

_KINDS: tuple[str, ...] = ("conv", "depthwise", "add", "max", "average")

_OPTIONS = (
    "last layer",
    "largest tap instead of the sum",
    "source 0 signed",
    "source 1 signed",
    "bipolar results",
    "two sources",
    "padding",
    "stride above 1",
    "kernel above 1 x 1",
    "several groups of channels",
    "several words at a position of the kernel",
    "groups that read words of their own",
)

_EVENTS = (
    "images: the engine waits for a beat",
    "images: a beat waits for the engine",
    "weights: the engine waits for a beat",
    "weights: a beat waits for the engine",
    "answers: a beat waits for its receiver",
    "registers: an answer to a write waits",
    "registers: an answer to a read waits",
    "registers: a write's address comes before its data",
    "registers: a write's data comes before its address",
    "the next image is loaded while a layer runs",
    "the next weights are loaded while a layer runs",
    "CLEAR in a run",
    "CLEAR while an answer is on offer",
    "reset in a run",
)


@dataclass(frozen=True)
class EngineFacts:
    """What decides which states an engine and its golden program have.

    layers: (name, kind) of each; kind is "" where the folder does not say. load: beats of the LOAD command;
    parameters: words of it that are parameters.
    """

    point: EnginePoint
    layers: tuple[tuple[str, str], ...]
    load: int
    parameters: int


def engine_facts(folder: Path) -> EngineFacts:
    """Read them from an emitted folder; a damaged one is a DataError."""
    path = folder / "vectors" / "program.json"
    try:
        golden: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        count = len(golden["descriptors"])
        named = golden.get("layers") or [{"name": f"layer {index}", "kind": ""} for index in range(count)]
        layers = tuple((str(layer["name"]), str(layer["kind"])) for layer in named)
        return EngineFacts(
            EngineDesign.load(folder).point, layers, len(golden["load"]), int(golden["settings"]["PARAMETERS"])
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise DataError(f"{path} does not hold golden vectors ({problem!r}); emit the design again") from None


def read_watch(path: Path, facts: EngineFacts, *, origin: str) -> Coverage:
    """Read the counts that a simulation wrote; origin: which one. What cannot be read is a DataError."""
    try:
        rows = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
        counts = {
            kind: Counter({tuple(map(int, row[1:-1])): int(row[-1]) for row in rows if row[0] == kind})
            for kind in "MEXOL"
        }
        if not counts["E"]:
            raise ValueError("it counts no events")
    except (OSError, ValueError, IndexError) as problem:
        raise DataError(f"{path} does not hold the counts of a simulated engine ({problem!r})") from None
    point = facts.point
    states, moves = _machines(counts["M"], facts)
    options = {
        **{name: counts["O"][index,] for index, name in enumerate(_OPTIONS)},
        **{
            f"{verb} bank {bank}": counts["O"][low + bank,]
            for low, verb in ((12, "reads"), (16, "writes"))
            for bank in range(point.banks)
        },
    }
    events = {name: counts["E"][index,] for index, name in enumerate(_EVENTS) if _has_event(index, facts)}
    errors = {error.name: counts["X"][error.code,] for error in register_map().errors}
    layers = {name: counts["L"][index,] for index, (name, _) in enumerate(facts.layers)}
    groups = [states, moves, Group("layers", "runs", layers, _others(counts["L"], len(facts.layers), "layer"))]
    if all(kind for _, kind in facts.layers):
        kinds = dict.fromkeys(_KINDS, 0)
        for (_, kind), count in zip(facts.layers, layers.values(), strict=True):
            kinds[kind] = kinds.get(kind, 0) + count
        groups.append(Group("kinds of layer", "runs", kinds, {}))
    groups += [
        Group("options of descriptors", "layers", options, {}),
        Group("events on the ports", "clocks", events, {}),
        Group("errors", "times", errors, {}),
    ]
    return Coverage(origin, tuple(groups))


def _others(counts: Mapping[tuple[int, ...], int], known: int, what: str) -> dict[str, int]:
    return {f"{what} {key[0]}": count for key, count in counts.items() if key[0] >= known and count}


def _machines(counts: Mapping[tuple[int, ...], int], facts: EngineFacts) -> tuple[Group, Group]:
    """Return the groups of states (clocks) and of transitions (times) over all machines."""
    legal = {machine: _transitions(machine, facts) for machine in _STATES}
    states = {
        f"{machine} {state}": 0
        for machine, pairs in legal.items()
        for state in _STATES[machine]
        if any(state in pair for pair in pairs)
    }
    moves = {f"{machine} {a} -> {b}": 0 for machine, pairs in legal.items() for a, b in pairs}
    wrong_states: Counter[str] = Counter()
    wrong_moves: Counter[str] = Counter()
    for (number, before, after), count in counts.items():
        machine = list(_STATES)[number]
        names = [_state(machine, before), _state(machine, after)]
        state, move = f"{machine} {names[1]}", f"{machine} {names[0]} -> {names[1]}"
        if state in states:
            states[state] += count
        else:
            wrong_states[state] += count
        if before != after:
            if move in moves:
                moves[move] += count
            else:
                wrong_moves[move] += count
    return Group("states", "clocks", states, wrong_states), Group("transitions", "times", moves, wrong_moves)


def _state(machine: str, number: int) -> str:
    names: Sequence[str] = _STATES[machine]
    return names[number] if number < len(names) else f"state {number}"


def _transitions(machine: str, facts: EngineFacts) -> list[tuple[str, str]]:
    """Return the changes of state that this engine with this program can make; those by CLEAR or an error too."""
    point = facts.point
    if machine == "sequencer":
        fetched = [("FETCH", "WEIGHTS"), ("WEIGHTS", "RUN")] if point.streamed else [("FETCH", "RUN")]
        pairs = [("IDLE", "IMAGE"), ("IMAGE", "FETCH"), *fetched, ("RUN", "WAIT"), ("WAIT", "UNLOAD")]
        pairs += [("WAIT", "FETCH")] if len(facts.layers) > 1 else []
        pairs += [("UNLOAD", "IMAGE"), ("UNLOAD", "IDLE")]
        pairs += [("IDLE", "LOAD"), ("LOAD", "IDLE")] if facts.load else []
        stopped = ("IMAGE", "FETCH", "WEIGHTS", "RUN", "WAIT") if point.streamed else ("IMAGE", "FETCH", "RUN", "WAIT")
        return pairs + [(state, "IDLE") for state in stopped]
    if machine == "issue":
        pairs = [("idle", "reading"), ("reading", "idle")]
        if point.pe > 1 or point.stationary_weights:
            pairs += [("reading", "waiting"), ("waiting", "reading"), ("waiting", "idle")]
        return pairs
    if machine == "image loader":
        return [("idle", "taking"), ("taking", "full"), ("taking", "idle"), ("full", "idle")]
    if machine == "unload":
        pairs = [("idle", "reading"), ("reading", "offering"), ("reading", "idle")]
        return [*pairs, ("offering", "idle"), ("offering", "closing"), ("closing", "idle")]
    weights = [("weights", "full"), ("weights", "idle")]
    after = [("full", "idle")] if facts.load or point.streamed else []
    load = [("idle", "parameters"), ("parameters", "idle")] if facts.parameters else []
    if not point.streamed:
        if not facts.load:
            return []
        return [*load, ("parameters" if facts.parameters else "idle", "weights"), *weights, *after]
    load += [("parameters", "full")] if facts.parameters else []
    ahead = [("full", "weights")] if point.double_buffer else []
    return [*load, ("idle", "weights"), *weights, *after, *ahead]


def _has_event(index: int, facts: EngineFacts) -> bool:
    """Whether the engine with its program can meet an event."""
    point = facts.point
    if index in (2, 3):
        return bool(facts.load) or point.streamed
    if index == 9:
        return point.double_buffer
    if index == 10:
        return point.double_buffer and point.streamed
    return True
