"""Where an engine went wrong first, from logs as its watch writes them; golden words; counts of what was reached."""

from __future__ import annotations

import json
import re
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from codesign.accel.engine import EnginePoint, Program, compile_program
from codesign.accel.engine.draw import draw_network
from codesign.accel.engine.interpret import interpret
from codesign.errors import DataError, ToolFailed
from codesign.ir.integer import Integers, evaluate_integer
from codesign.rtl.engine import generate
from codesign.simulate import engine_failure
from codesign.simulate.coverage import merge
from codesign.simulate.engine_bench import write_engine_bench
from codesign.simulate.engine_coverage import engine_facts, read_watch
from codesign.simulate.engine_failure import CLOCKS_AFTER, Failed, explain_failure
from codesign.simulate.engine_golden import golden_layers

POINTS = {
    "resident": EnginePoint(2, 4, 3, 3, bank_depth=256, weight_depth=512, accumulator_bits=24),
    "streamed": EnginePoint(
        4, 2, 3, 4, "weight_stationary", "streamed", "lutram", 1024, 256, 3, 64, 24, "dsp", 2, True, 32, 64, 64, 64
    ),
}


def written(point: EnginePoint, folder: Path, seed: int = 4) -> tuple[Program, Integers]:
    network, images = draw_network(point, np.random.default_rng(seed), layers=3, size=4, samples=3)
    program = compile_program(network, point)
    generate(point, folder)
    write_engine_bench(folder, program, images, evaluate_integer(network, images))
    return program, images


@pytest.mark.parametrize("name", POINTS)
def test_golden_words_are_the_interpreters(name: str, tmp_path: Path) -> None:
    program, images = written(POINTS[name], tmp_path)
    found = interpret(program, images, maps=True)
    bits = program.point.activation_bits
    for image in range(len(images)):
        layers = golden_layers(tmp_path, image)
        assert [(layer.name, layer.kind) for layer in layers] == [(one.name, one.kind) for one in program.layers]
        for golden, layer in zip(layers[:-1], program.layers, strict=False):
            _, start, size = program.banks[layer.name]
            assert sorted(golden.words) == list(range(start, start + size))
            for address, (value, mask) in golden.words.items():
                lanes = found[layer.name][image, address - start]
                assert value == sum(int(code) << bits * i for i, code in enumerate(lanes)) & mask
        answers = [value for value, _ in layers[-1].words.values()]
        assert answers == [int(v) & 0xFFFF_FFFF for v in np.moveaxis(found["answers"][image], 0, 2).ravel()]
    (tmp_path / "vectors" / "program.json").write_text("{}")
    with pytest.raises(DataError, match="does not hold a program"):
        golden_layers(tmp_path, 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("failing") / "design"
    written(POINTS["resident"], path)
    return path


def right_log(folder: Path) -> list[list[str]]:
    """What the watch writes of image 1 where all is well: 100 clocks a layer."""
    lines: list[list[str]] = []
    for layer in golden_layers(folder, 1):
        start = 1000 + 100 * layer.index
        lines.append(["S", str(start), str(layer.index)])
        last = int(layer.fields["last"])
        for count, (address, (value, _)) in enumerate(layer.words.items()):
            words = ("0", f"{value:x}") if last else (f"{value:x}", "0")
            lines.append(["W", str(start + count), str(layer.index), str(last), str(address), *words])
    return lines


Said = Callable[..., list[str]]


@pytest.fixture
def said(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    """Explain a log: a program that writes it stands in for the engine, and nothing can be compiled."""

    def refuse(*given: object, **named: object) -> None:
        raise ToolFailed("no compiler here")

    monkeypatch.setattr(engine_failure, "build_engine", refuse)

    def explain(lines: list[list[str]], layer: int | None = None) -> list[str]:
        program = tmp_path / "engine"
        text = "".join(" ".join(line) + "\n" for line in lines)
        program.write_text(
            f"#!{sys.executable}\nimport sys\n"
            "(path,) = [word[7:] for word in sys.argv if word.startswith('+words=')]\n"
            f"assert '+image=1' in sys.argv\nopen(path, 'w').write({text!r})\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        failed = Failed(folder / "vectors" / "script.txt", 1, 1, layer)
        return explain_failure(folder, failed, program, work=tmp_path / "work", seed=1, timeout_s=60)

    return explain


def test_the_first_wrong_word_is_named_whatever_follows(folder: Path, said: Said) -> None:
    layers, lines = golden_layers(folder, 1), right_log(folder)
    at = next(i for i, line in enumerate(lines) if line[0] == "W" and line[2] == "1")
    lines[at][5] = f"{int(lines[at][5], 16) ^ 1:x}"
    lines[-1][6] = "77"
    first, second = said(lines)
    address = int(lines[at][4])
    wanted, _ = layers[1].words[address]
    assert f"image 1: layer 1 '{layers[1].name}' ({layers[1].kind}), word {address} of bank" in first
    assert "core.result_word differs first" in first and re.search(f"got 0*{wanted ^ 1:x},", first)
    assert f"written at clock {int(lines[at][1]):,}" in first and second == "no waveform: no compiler here"
    again = lines[at].copy()
    again[1], again[5] = "1199", f"{wanted:x}"
    lines.insert(at + 1, again)
    lines[-1][6] = f"{layers[-1].words[int(lines[-1][4])][0]:x}"
    assert "every word of every layer is right" in said(lines)[0], "what was written last counts"


def test_an_answer_a_stray_and_a_missing_word_are_named(folder: Path, said: Said) -> None:
    lines = right_log(folder)
    lines[-1][6] = f"{int(lines[-1][6], 16) ^ 8:x}"
    assert "core.result_answer differs first" in said(lines)[0] and "answer " in said(lines)[0]
    lines = right_log(folder)
    at = next(i for i, line in enumerate(lines) if line[0] == "W" and line[2] == "0")
    stray = [*lines[at][:4], "999", *lines[at][5:]]
    assert "writes to address 999, which is none of its own (core.result_address)" in said([*lines, stray])[0]
    del lines[at]
    assert "ends without word" in said(lines)[0] and "core.result_write" in said(lines)[0]


def test_a_hang_a_count_and_the_way_out_are_told_apart(folder: Path, said: Said) -> None:
    layers, lines = golden_layers(folder, 1), right_log(folder)
    cut = [line for line in lines if line[0] == "S" and line[2] == "0" or line[0] == "W" and line[2] == "0"]
    hung = said([*cut, ["S", "1100", "1"], ["H", "200500", "5", "1", "1", "0", "1101"]])[0]
    assert f"core.sequencer.state is WAIT of layer 1 '{layers[1].name}'" in hung
    assert "from clock 1,101 until the run was stopped at clock 200,500" in hung
    after = said([*lines, ["H", "200500", "5", "2", "2", "0", "1301"]], 2)[0]
    assert f"core.sequencer.state is WAIT of layer 2 '{layers[2].name}'" in after and "from clock 1,301" in after
    assert "takes other cycles (core.counters.layer_cycles); it starts at clock 1,100" in said(lines, 1)[0]
    assert "what follows is not (core.unload, m_axis_tdata)" in said(lines)[0]
    assert "after layer 0" in said(cut)[0] and "nothing follows" in said(cut)[0]
    assert "no layer of it ever started" in said([])[0]
    assert said([["W", "x"]])[0].startswith("no waveform: ") and CLOCKS_AFTER > 0


def test_counts_are_read_merged_and_what_is_not_foreseen_is_told(folder: Path, tmp_path: Path) -> None:
    facts = engine_facts(folder)
    assert facts.load and not facts.point.streamed and len(facts.layers) == 3
    rows = ["M 0 0 1 2", "M 0 1 2 2", "M 0 2 3 1", "M 0 2 4 1", "M 1 0 0 50", "M 4 2 2 7"]
    rows += [f"E {i} {5 * (i == 4)}" for i in range(14)] + [f"X {i} {int(i == 7)}" for i in range(1, 16)]
    rows += [f"O {i} {3 * (i == 6)}" for i in range(20)] + ["L 1 2", "L 9 1"]
    path = tmp_path / "watch.txt"
    path.write_text("\n".join(rows) + "\n")
    found = read_watch(path, facts, origin="golden")
    groups = {group.name: group for group in merge([found, found]).groups}
    assert groups["transitions"].counts["sequencer FETCH -> RUN"] == 2
    assert dict(groups["transitions"].unexpected) == {"sequencer FETCH -> WEIGHTS": 2}
    assert "sequencer WEIGHTS" not in groups["states"].counts and groups["states"].unexpected["sequencer WEIGHTS"] == 2
    assert groups["states"].counts["unload offering"] == 14 and "sequencer LOAD" in groups["states"].missed
    assert dict(groups["layers"].unexpected) == {"layer 9": 2} and groups["layers"].reached == 1
    assert groups["options of descriptors"].counts["padding"] == 6
    assert groups["events on the ports"].counts["answers: a beat waits for its receiver"] == 10
    assert groups["errors"].counts["DESCRIPTOR"] == 2 and groups["errors"].reached == 1
    lines = dict(found.lines(most=1))
    assert lines["errors"] == "1 of 8; not reached: PROGRAM_LENGTH, and 6 more"
    assert lines["layers"].endswith("; not foreseen: layer 9")
    values = json.loads(json.dumps(found.as_dict()))
    assert values["groups"][0]["missed"] == list(found.groups[0].missed)
    path.write_text("M 0 0\nE x 1\n")
    with pytest.raises(DataError, match="does not hold the counts"):
        read_watch(path, facts, origin="golden")
