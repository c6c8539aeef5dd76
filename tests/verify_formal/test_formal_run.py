"""`cods verify --formal` on a small run: what is proven, what the exit code says, and which runs it is for."""

import re
import shutil

import pytest
from typer.testing import CliRunner

from codesign.config import BuildConfig
from codesign.errors import ConfigError, NotProven
from codesign.line import new_line, open_run
from codesign.verify.formal import Proof, Tally, formal_table, prove_run, require_proven

CONFIG = {
    "name": "small",
    "seed": 3,
    "data": {"source": "digits"},
    "inputs": {"thresholds": "uniform"},
    "topology": {
        "input_bits": 2,
        "layers": [{"width": 20, "fan_in": 3, "bits": 2}, {"width": 10, "fan_in": 3, "bits": 3, "terms": 2}],
    },
    "train": {"epochs": 1, "batch_size": 64, "threads": 1, "tensorboard": False},
    "simulate": {"cocotb": False, "vectors": 20, "stress_vectors": 0},
    "synth": {"devices": [], "place_and_route": False},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("formal_run") / "run"
    config = BuildConfig.model_validate(CONFIG)
    new_line(config, path, folder=path.parent).build(until="emit")
    return path


@pytest.mark.sim
def test_a_run_is_proven_from_the_extracted_tables_to_the_verilog(run):
    told = []
    tallies = prove_run(open_run(run, notify=lambda stage, message, share: told.append(message)), timeout_s=30)
    require_proven(tallies)
    names = [tally.name for tally in tallies]
    assert names[-3:] == [
        "tables = emitted Verilog, stage by stage",
        "stages, registers and ports are joined",
        "extracted network = emitted Verilog, ports to answer",
    ]
    assert "passes give the optimized tables" in names
    assert all(tally.count("proven") == len(tally.proofs) for tally in tallies)
    assert "proving the Verilog" in told
    assert formal_table(tallies).row_count == len(tallies)


@pytest.mark.slow
@pytest.mark.sim
def test_the_command_proves_and_prints(run):
    from codesign.cli.app import app

    result = CliRunner().invoke(app, ["verify", str(run), "--formal"])
    assert result.exit_code == 0, result.output
    assert "formal proofs" in result.output


@pytest.mark.sim
def test_a_changed_file_is_named_with_the_input_that_it_answers_wrong(run, tmp_path):
    from codesign.cli.app import app

    copy = shutil.copytree(run, tmp_path / "run")
    path = sorted((copy / "5_emit" / "design" / "rtl").glob("*_l0.v"))[0]
    found = re.search(r"l0_n(\d+)_w0_t = \d+'h([0-9a-f]+);", path.read_text())
    assert found
    start, end = found.span(2)
    text = path.read_text()
    path.write_text(text[:start] + f"{int(found[2], 16) ^ 1:0{end - start}x}" + text[end:])
    assert (first := CliRunner().invoke(app, ["verify", str(copy)])).exit_code == 1
    assert "is not as stage emit wrote it" in str(first.exception) and "wanted" not in str(first.exception)
    told = CliRunner().invoke(app, ["verify", str(copy), "--formal"])
    assert told.exit_code == 1 and "formal proofs" in told.output
    wanted = rf"{path.name} is not as stage emit wrote it.*neuron {found[1]}: input codes .*wanted \d+, got \d+"
    assert re.search(wanted, str(told.exception), re.DOTALL), str(told.exception)


def test_tools_that_fail_leave_a_run_unproven(run, monkeypatch):
    monkeypatch.setenv("CODESIGN_YOSYS", "/nonexistent/yosys")
    monkeypatch.setenv("CODESIGN_ABC", "/nonexistent/abc")
    with pytest.raises(Exception, match="yosys|ABC"):
        require_proven(prove_run(open_run(run), timeout_s=5))


def test_other_families_are_refused(tmp_path):
    class Other:
        family = "other"

        class run:
            path = tmp_path

    with pytest.raises(ConfigError, match="--formal is for runs of the families 'pipeline' and 'engine'"):
        prove_run(Other())  # type: ignore[arg-type]


def test_what_holds_by_parts_is_no_failure_but_what_is_open_is():
    parts = Tally.of("whole", [Proof("class", "by parts", "ABC", 0, "not found out within 60 s")], seconds=1.0)
    require_proven([parts])
    still_open = Tally.of("stages", [Proof("stage 'l0', neuron 1", "not proven", "ABC", 0, "time")], seconds=1.0)
    with pytest.raises(NotProven, match="1 statements were not proven.*\n  stages: stage 'l0', neuron 1: time"):
        require_proven([parts, still_open])
