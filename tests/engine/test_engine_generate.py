"""Generated folders: complete, equal for equal arguments, lint-clean over the space; the page says what is so."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from codesign.accel.engine import EnginePoint, compile_program, cycles, layer_cycles, register_map
from codesign.accel.engine.draw import draw_network, draw_point
from codesign.errors import ConfigError, DataError, SpaceError
from codesign.resources import resource_dir
from codesign.rtl.engine import EngineDesign, generate, reference
from codesign.tools.verilator import lint

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "engine.md").read_text(encoding="utf-8")
POINT = EnginePoint(4, 2, 4, 4)


def test_a_folder_is_whole_and_the_same_each_time(tmp_path: Path) -> None:
    design = generate(POINT, tmp_path / "a")
    assert generate(POINT, tmp_path / "b") == design == EngineDesign.load(tmp_path / "a")
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert [str(f) for f in files if f.suffix == ".v"] == sorted(design.sources)
    assert {"README.md", "design.json", "engine_top.core"} < {str(f) for f in files}
    for file in files:
        text = (tmp_path / "a" / file).read_bytes()
        assert text == (tmp_path / "b" / file).read_bytes()
        assert b"{%" not in text and b"{{ " not in text
    core = yaml.safe_load((tmp_path / "a/engine_top.core").read_text().removeprefix("CAPI=2:\n"))
    assert core["filesets"]["rtl"]["files"] == list(design.sources)
    assert reference() in (tmp_path / "a/README.md").read_text()


def test_every_setting_reaches_the_hardware(tmp_path: Path) -> None:
    plain = generate(POINT, tmp_path / "plain")
    other = replace(POINT, weights="streamed", double_buffer=True, multiplier="dsp", weight_memory="lutram", simd=4)
    other = replace(other, dataflow="weight_stationary", psum_depth=64, weight_bits=3, activation_bits=5, pe=8, banks=2)
    other = replace(other, weight_depth=50, bank_depth=60, param_depth=70, answer_depth=800, accumulator_bits=31)
    other = replace(other, pipeline=4, stream_in_bits=8, stream_out_bits=16, requantizers=4)
    assert all(getattr(POINT, name) != value for name, value in other.as_dict().items())
    changed = generate(other, tmp_path / "other")
    same = {name for name, value in changed.parameters if dict(plain.parameters)[name] == value}
    assert same <= {"BANK_BLOCK", "PARAM_BLOCK", "ANSWER_BLOCK", "PSUM_BLOCK"}


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="pe must be one of .*, not 3\n- .*simd must be one of"):
        generate(replace(POINT, pe=3, simd=5), tmp_path / "x")
    assert not (tmp_path / "x").exists()
    for top in ("engine_core", "1st", "a b"):
        with pytest.raises(ConfigError, match="top must be a Verilog name"):
            generate(POINT, tmp_path / "x", top=top)
    with pytest.raises(DataError, match="no design.json"):
        EngineDesign.load(tmp_path)
    (tmp_path / "design.json").write_text('{"version": 1, "family": "pipeline"}')
    with pytest.raises(DataError, match="does not describe an engine"):
        EngineDesign.load(tmp_path)


@pytest.mark.sim
def test_points_of_every_kind_lint(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    points = [replace(draw_point(rng), param_depth=65, answer_depth=3) for _ in range(10)]
    points += [EnginePoint(1, 1, 1, 1, accumulator_bits=8, stream_in_bits=8, stream_out_bits=8, pipeline=0)]
    points += [EnginePoint(64, 64, 1, 1, bank_depth=100, stream_in_bits=512, weight_depth=64, pipeline=4)]
    points += [EnginePoint(4, 16, 3, 1, weights="streamed", double_buffer=True, banks=4, accumulator_bits=10)]
    for index, point in enumerate(points):
        design = generate(point, tmp_path / str(index), top=f"top{index}")
        lint([tmp_path / str(index) / source for source in design.sources], design.top, tmp_path / str(index))


# The law in itself.


def test_images_beyond_the_second_follow_the_period() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        point = replace(draw_point(rng), accumulator_bits=32)
        network, _ = draw_network(point, rng, layers=int(rng.integers(1, 6)))
        program = compile_program(network, point)
        nothing = [[0]] * 7
        assert cycles(program, images=7).total == cycles(program, images=7, image_gaps=nothing).total
        assert cycles(program).layers == tuple(layer_cycles(point, layer) for layer in program.layers)
    with pytest.raises(ValueError, match="at least 1 image"):
        cycles(program, images=0)


def test_double_buffering_never_costs_and_stalls_always_do() -> None:
    saved = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        point = replace(draw_point(rng), accumulator_bits=32, weight_depth=1 << 14)
        network, _ = draw_network(point, rng, layers=int(rng.integers(1, 6)))
        single, double = (compile_program(network, replace(point, double_buffer=value)) for value in (False, True))
        saved += cycles(single, images=5).total > cycles(double, images=5).total
        assert cycles(double, images=5).total <= cycles(single, images=5).total
        assert cycles(single, images=2, stalls=[[3], [0, 4][:1]]).total == cycles(single, images=2).total + 3
        assert cycles(double, images=2, stalls=[[], [5]]).total == cycles(double, images=2).total + 5
    assert saved > 20


# The documentation.


def test_the_code_of_the_page_runs(tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", DOCS, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(block, "docs/engine.md", "exec"), names)
    names["hardware"](tmp_path)  # type: ignore[operator]
    assert (tmp_path / "README.md").is_file()


def test_the_page_holds_the_reference_and_every_rule() -> None:
    assert DOCS.endswith("\n" + reference())
    room = Path(compile_program.__code__.co_filename).parent
    raised = set(re.findall(r'(?:refuse|broken)\(\s*"(\w+)"', "".join(p.read_text() for p in room.glob("*.py"))))
    listed = {rule for row in re.findall(r"^\| ([a-z_, ]+) \|", DOCS, re.M) for rule in row.split(", ")}
    assert raised <= listed - {"rule"}


def test_the_registers_are_declared_once_and_do_not_overlap() -> None:
    known = register_map()
    offsets = [register.offset for register in known.registers]
    assert len(set(offsets)) == len(offsets) and max(offsets) < known.window.offset
    assert sorted(error.code for error in known.errors) == list(range(1, len(known.errors) + 1))
    for register in known.registers:
        covered = [bit.low + i for bit in register.bits for i in range(bit.bits)]
        assert len(set(covered)) == len(covered)
    text = "".join(p.read_text() for p in (resource_dir("rtl_templates") / "engine").glob("*.v*"))
    assert not re.search(r"4'd\d+;\s*//.*(?:early|late)", text), "error codes come from registers.yaml"
