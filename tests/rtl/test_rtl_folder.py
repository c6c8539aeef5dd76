"""The emitted folder: description, papers, vectors, names, and what parsing back catches."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from rtl_networks import popcount, sums, tables, tiny

from codesign.config import RegistersConfig, RtlConfig
from codesign.errors import ConfigError, DataError, MismatchError
from codesign.ir import Decide, Encode, Feature, Format, LutNetwork, evaluate
from codesign.rtl import Design, Field, emit
from codesign.rtl.parse_back import Expected, _in_processes, parse_back, pieces
from codesign.rtl.structure import Assign, Instance, Module, Port, Wire
from codesign.rtl.syntax import generate, parse
from codesign.rtl.vectors import pack_hex, random_features

TABLE = RtlConfig(form="table")


def test_design_says_what_was_emitted(tmp_path: Path) -> None:
    network = tiny()
    design = emit(network, TABLE, tmp_path, features=np.array([[17.0, -2.5, 1.0], [300.0, 99.0, 15.0]]))
    assert design.input_fields == (
        Field("pixel", 8, False, 0),
        Field("charge | e", 8, True, 8),
        Field("count", 4, False, 16),
    )
    assert design.output_fields == (Field("class", 2, False, 0),)
    assert (design.input_bits, design.output_bits, design.vectors) == (20, 2, 2)
    assert (design.latency_cycles, design.initiation_interval) == (5, 1)
    assert design.registers_after == (0, 1, 2, 3, 4)
    assert design.encoder_in_hardware and design.top == "tiny" and design.clock == "clk"
    assert [design.part(f"tiny_{s}") for s in ("encode", "l0", "total", "answer", "register")] == [
        "encoder",
        "tables",
        "sums",
        "decide",
        "interface",
    ]
    assert all((tmp_path / source).is_file() for source in design.sources)
    assert Design.load(tmp_path) == design
    lines = (tmp_path / "vectors/inputs.hex").read_text().splitlines()
    assert lines == ["1f611", "f7fff"]  # 1 | -10 & 255 | 17 as words; saturated at the second


def test_codes_where_the_encoder_stays_outside(tmp_path: Path) -> None:
    network = tiny(coding="thermometer")
    features = np.array([[20.0, 0.0, 1.5]])
    design = emit(network, RtlConfig(form="table", encoder="outside"), tmp_path, features=features)
    assert [f.name for f in design.input_fields][:3] == ["pixel[0]", "pixel[1]", "pixel[2]"]
    assert not design.encoder_in_hardware and design.input_bits == 9
    assert (tmp_path / "vectors/inputs.hex").read_text() == "059\n"
    assert (tmp_path / "vectors/outputs.hex").read_text() == f"{int(evaluate(network, features)[0, 0]):x}\n"
    readme = (tmp_path / "README.md").read_text()
    assert "| 5 | charge \\| e[2] | unsigned 1 | 1 where x >= 3.5 |" in readme


def test_core_file_lists_every_source(tmp_path: Path) -> None:
    design = emit(tiny(), RtlConfig(form="table", interface="axi_stream"), tmp_path)
    head, _, rest = (tmp_path / "tiny.core").read_text().partition("\n")
    assert head == "CAPI=2:"
    core = yaml.safe_load(rest)
    assert core["filesets"]["rtl"]["files"] == list(design.sources)
    assert {t["toplevel"] for t in core["targets"].values()} == {"tiny"}


def test_random_vectors_reach_every_level() -> None:
    network = tiny()
    features = random_features(network)
    assert isinstance(network.encode, Encode)
    for column, feature in zip(features.T, network.encode.features, strict=True):
        levels = np.searchsorted(feature.thresholds, column, side="right")
        assert np.bincount(levels).min() > 100
    codes = random_features(popcount())
    assert codes.min() == 0 and codes.max() == 1 and codes.shape == (1000, 12)


def test_hex_lines_of_wide_words() -> None:
    codes = np.array([[1, 2, 3], [(1 << 30) - 1, 0, 1]])
    assert pack_hex(codes, [Format(30), Format(3), Format(30)]) == "0000000680000001\n000000023fffffff\n"


def test_no_decision_gives_codes(tmp_path: Path) -> None:
    base = tiny(decide="absent")
    network = LutNetwork("codes", (*base.stages, Decide("answer", "none", base.outputs, 0, 0.5, -1.0)))
    design = emit(network, TABLE, tmp_path)
    assert [f.name for f in design.output_fields] == ["y0", "y1", "y2"]
    assert design.latency_cycles == 4
    assert "-1 + 0.5 * value" in (tmp_path / "README.md").read_text()


def test_network_without_logic_passes_its_input(tmp_path: Path) -> None:
    formats = (Format(3), Format(2, True))
    network = LutNetwork("wires", (Decide("answer", "none", formats),), formats)
    for interface in ("bare", "ready_valid", "axi_stream"):
        design = emit(network, RtlConfig(form="table", interface=interface), tmp_path / interface)
        assert design.latency_cycles == (1 if interface == "axi_stream" else 0)
        folder = tmp_path / interface / "vectors"
        assert (folder / "inputs.hex").read_text() == (folder / "outputs.hex").read_text()


def test_hardware_encoder_needs_words(tmp_path: Path) -> None:
    encode = Encode("encode", (Feature("x", (0.5,)),))
    network = LutNetwork("net", (encode, Decide("answer", "none", encode.formats)))
    with pytest.raises(ConfigError, match="inputs.word_bits"):
        emit(network, RtlConfig(form="table", encoder="hardware"), tmp_path)
    with pytest.raises(ConfigError, match="takes codes"):
        emit(popcount(), RtlConfig(form="table", encoder="hardware"), tmp_path)


def test_names_that_verilog_reserves(tmp_path: Path) -> None:
    assert emit(dataclasses.replace(tiny(), name="small"), TABLE, tmp_path).top == "small_top"
    rng = np.random.default_rng(0)
    stage = tables("output", (Format(1),), 1, 1, Format(1), rng)
    emit(LutNetwork("net", (stage,), (Format(1),)), TABLE, tmp_path)
    assert "net_output output_stage (" in (tmp_path / "rtl/net.v").read_text()


def test_names_that_clash(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, why in (("register", "net_register"), ("in", "in_valid"), ("out", "out_valid")):
        stage = tables(name, (Format(1),), 1, 1, Format(1), rng)
        with pytest.raises(ConfigError, match=why):
            emit(
                LutNetwork("net", (stage,), (Format(1),)),
                RtlConfig(form="table", registers=RegistersConfig(every=1)),
                tmp_path,
            )


def test_features_of_the_wrong_shape(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\(samples, 12\)"):
        emit(popcount(), TABLE, tmp_path, features=np.zeros((3, 5)))
    with pytest.raises(DataError, match="integers from 0"):
        emit(popcount(), TABLE, tmp_path, features=np.full((3, 12), 2))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: d.update(version=9), "version"),
        (lambda d: d.pop("top"), "top"),
        (lambda d: d.update(input_bits=7), "widths"),
        (lambda d: d.update(extra=1), "extra"),
        (lambda d: d.update(input_fields=[1]), "mapping"),
    ],
)
def test_damaged_description(change, why: str, tmp_path: Path) -> None:
    emit(tiny(), TABLE, tmp_path)
    value = json.loads((tmp_path / "design.json").read_text())
    change(value)
    (tmp_path / "design.json").write_text(json.dumps(value))
    with pytest.raises(DataError, match=why):
        Design.load(tmp_path)


def test_missing_or_foreign_description(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no design\.json"):
        Design.load(tmp_path)
    (tmp_path / "design.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        Design.load(tmp_path)


TOP = Module(
    "top",
    (Port("in_data", "input", 3, True), Port("y", "output", 1)),
    (Wire("w", 1, True),),
    (Assign("y", ("&", ("{}", ("const", "2", "1"), ("[]", "in_data", "2"), ("~", "w")))),),
    (Instance("leaf", "one", (("a", "in_data"), ("b", "w")), (("SIZE", 3),), "a leaf"),),
)
LEAF = """// A leaf.
module leaf #(
    parameter SIZE = 1
) (
    input  [SIZE-1:0] a,
    output [0:0] b
);
  wire inner = a[0];

  assign b = inner;
endmodule
"""
LEAF_PORTS = {"a": ("input", None), "b": ("output", 1)}


def check_top(text: str, leaf: str = LEAF) -> None:
    expected = {"top.v": Expected.structural(TOP), "leaf.v": Expected("leaf", LEAF_PORTS, signals={"inner": 1})}
    parse_back({"top.v": text, "leaf.v": leaf}, expected)


def test_what_was_printed_is_read_again() -> None:
    text = generate(TOP)
    assert "  // a leaf\n  leaf #(.SIZE(3)) one (\n    .a(in_data),\n    .b(w)\n  );\n" in text
    check_top(text)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("[2:0] in_data", "[3:0] in_data", r"'in_data' must be \('input', 3\)"),
        ("output y", "input y", "'y' must be"),
        ("wire [0:0] w", "wire [1:0] w", "'w' must be 1"),
        (".b(w)", ".b(y)", "'one' must be"),
        (".SIZE(3)", ".SIZE(4)", "'one' must be"),
        ("leaf #(.SIZE(3)) one", "leaf one", "'one' must be"),
        ("endmodule", "leaf two (.a(in_data), .b(w)); endmodule", "'two' must be absent"),
        ("module top", "module other", "must hold the module 'top' alone"),
        ("endmodule", "", "at end of input"),
        ("assign y =", "assign y == ", "not Verilog"),
    ],
)
def test_a_changed_top_is_caught(old: str, new: str, why: str) -> None:
    text = generate(TOP)
    assert old in text
    with pytest.raises(MismatchError, match=why):
        check_top(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("wire inner", "wire outer", "'inner' must be 1"),
        ("[0:0] b", "[1:0] b", "'b' must be"),
        ("SIZE", "WIDTH", r"must set exactly \['WIDTH'\]"),
        ("leaf", "twig", "must hold the module 'leaf' alone"),
    ],
)
def test_a_changed_leaf_is_caught(old: str, new: str, why: str) -> None:
    with pytest.raises(MismatchError, match=why):
        check_top(generate(TOP), LEAF.replace(old, new))


def test_pieces_hold_all_of_a_long_file(tmp_path: Path) -> None:
    design = emit(tiny(), TABLE, tmp_path)
    text = (tmp_path / "rtl/tiny_l1.v").read_text()
    cut = pieces(text, most=400)
    assert len(cut) > 3
    head = text[: text.index(");\n") + 3]
    body = "".join(piece.removeprefix(head).removesuffix("endmodule\n") for piece in cut)
    assert f"{head}{body}endmodule\n" == text
    whole = parse(text, file="whole")[0]
    parts = [parse(piece, file="piece")[0] for piece in cut]
    assert {k: v for part in parts for k, v in part.wires.items()} == whole.wires
    assert all(part.ports == whole.ports for part in parts)
    files = {name: (tmp_path / name).read_text() for name in design.sources}
    assert _in_processes(list(files.items()), 2) == [parse(files[name], file=name) for name in files]


def test_a_fault_in_another_process_is_reported() -> None:
    with pytest.raises(MismatchError, match=r"bad\.v is not Verilog"):
        _in_processes([("bad.v", "module m (input a);\n  wire = a;\nendmodule\n"), ("leaf.v", LEAF)], 2)


def test_sums_without_terms(tmp_path: Path) -> None:
    inputs = (Format(2),)
    stage = dataclasses.replace(sums("total", inputs, 2), name="total")
    network = LutNetwork("net", (stage, Decide("answer", "argmax", stage.formats)), inputs)
    assert emit(network, TABLE, tmp_path, features=np.arange(4)[:, None]).vectors == 4
