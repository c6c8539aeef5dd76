"""Scripts: golden text per family, harness of every interface, and scripts in an emitted folder."""

import re
import subprocess
from dataclasses import replace

import pytest

from codesign.accel import device
from codesign.errors import ConfigError, DataError
from codesign.rtl.design import Design
from codesign.synth import write_scripts
from codesign.synth.scripts import harness_ports, nextpnr_arguments, render_scripts, yosys_script


@pytest.fixture
def design(tiny):
    return Design.load(tiny)


@pytest.mark.parametrize("name", ["xcvu9p", "xc7a35t", "ecp5-25f", "ice40-up5k"])
def test_golden_scripts(tiny, golden, name):
    write_scripts(tiny, [device(name)])
    files = sorted((tiny / "synth").rglob("*.*"))
    text = "".join(f"==== {file.relative_to(tiny)}\n{file.read_text()}" for file in files)
    golden(f"synth/{name}.txt", text)


def test_scripts_name_only_files_of_the_folder(tiny):
    written = write_scripts(tiny, [device("xcvu9p"), device("ecp5-25f")])
    assert all(path.is_file() and path.is_relative_to(tiny) for path in written)
    for path in written:
        named = re.findall(r"\S+\.(?:v|xdc)\b", path.read_text()) if path.suffix in (".ys", ".tcl") else []
        assert all((tiny / name).is_file() for name in named)
        assert str(tiny) not in path.read_text()
    runs = [path for path in written if path.name == "run.sh"]
    assert len(runs) == 2
    for run in runs:
        subprocess.run(["sh", "-n", str(run)], check=True)
        assert run.stat().st_mode & 0o111


def test_the_same_design_gives_the_same_bytes(tiny):
    first = {path: path.read_bytes() for path in write_scripts(tiny, [device("ecp5-85f")])}
    assert {path: path.read_bytes() for path in write_scripts(tiny, [device("ecp5-85f")])} == first


def test_write_scripts_needs_a_design(tmp_path):
    with pytest.raises(DataError, match="no design.json"):
        write_scripts(tmp_path, [device("xcvu9p")])


@pytest.mark.parametrize(
    ("interface", "stream_bits", "driven", "read"),
    [("bare", 0, 6, 2), ("ready_valid", 0, 7, 3), ("axi_stream", 32, 36, 36)],
)
def test_the_harness_reaches_every_port_but_the_clock(design, interface, stream_bits, driven, read):
    wide = replace(design, interface=interface, stream_bits=stream_bits)
    inputs, outputs = harness_ports(wide)
    for ports, width in ((inputs, driven), (outputs, read)):
        bits = [port.low + i for port in ports for i in range(port.width)]
        assert bits == list(range(width))
    text = render_scripts(wide, device("ecp5-25f"), out=".")["harness.v"]
    connected = re.findall(r"^      \.(\w+)\(", text, re.MULTILINE)
    assert sorted(connected) == sorted([*(port.name for port in (*inputs, *outputs)), wide.clock])
    assert f"reg [{driven - 1}:0] drive" in text and f"reg [{read - 1}:0] capture" in text


def test_options_reach_the_tools(design):
    arguments = nextpnr_arguments(device("ecp5-85f"), out=".", seed=7, target_mhz=333.5)
    assert arguments[0] == "--85k" and arguments[arguments.index("--seed") + 1] == "7"
    assert arguments[arguments.index("--freq") + 1] == "333.5"
    assert "--freq" not in nextpnr_arguments(device("ice40-hx8k"), out=".", seed=1, target_mhz=None)
    assert "-period 4.000 " in render_scripts(design, device("xcvu9p"), out=".", target_mhz=250)["clock.xdc"]
    apart = yosys_script(design, device("xc7a35t"), out=".", harness=False, apart=("tiny_l0",))
    assert "setattr -mod -set keep_hierarchy 1 tiny_l0\n" in apart and "netlist.json" not in apart


@pytest.mark.parametrize("part", ["LFE5U-99F-6BG381C", "XC7A35T"])
def test_a_part_that_nextpnr_does_not_know_is_refused(design, part):
    odd = replace(device("ecp5-25f"), part=part)
    with pytest.raises(ConfigError, match=f"knows no part '{part}' of family 'ecp5'"):
        nextpnr_arguments(odd, out=".", seed=1, target_mhz=None)


def test_a_source_that_yosys_could_not_read_is_refused(design):
    with pytest.raises(ConfigError, match="must be named with letters"):
        yosys_script(replace(design, sources=("rtl/a b.v",)), device("xcvu9p"), out=".", harness=False)
