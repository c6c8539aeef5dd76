"""From data to report on a small network: the figures agree with each other, and a broken bit is caught."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest

from codesign import HardwareModel
from codesign.config import RtlConfig
from codesign.errors import CodesignError, MismatchError, RunError
from codesign.ir import Tables, evaluate
from codesign.line import new_line, open_run
from codesign.report import RunFacts, compare_runs, figures, summary_tables
from codesign.verify import verify_run

pytestmark = [pytest.mark.sim, pytest.mark.synth]


@pytest.fixture(scope="module")
def finished(small_config, optimized_run, tmp_path_factory) -> Path:
    run = Path(shutil.copytree(optimized_run, tmp_path_factory.mktemp("end") / "run"))
    new_line(small_config, run, folder=run.parent).build()
    return run


def test_figures_agree(finished):
    line, values = open_run(finished), figures(finished)
    rows = len(line.data.x_test)
    assert values["vectors_checked"] == rows
    assert values["vectors_mismatched"] == 0
    assert values["latency_cycles"] == values["latency_cycles_simulated"] == line.design.latency_cycles
    assert values["initiation_interval"] == values["initiation_interval_simulated"] == 1
    assert values["luts_synthesised"] > 0
    assert values["ffs_synthesised"] > 0
    assert values["fmax_routed_mhz"] is None, "nothing was placed, so no clock may be claimed"
    rows_of_tables = sum(len(n.table) for s in line.extracted.stages if isinstance(s, Tables) for n in s.neurons)
    thresholds = sum(len(f.thresholds) for f in line.extracted.encode.features)
    assert values["table_rows_checked"] == rows_of_tables + 2 * thresholds
    by_part = RunFacts(finished).synthesis["xcvu9p"]["luts_by_part"]
    assert set(by_part) <= {"encoder", "tables", "sums", "decide", "interface", "other"}
    assert json.loads((finished / "8_report" / "figures.json").read_text())["accuracy_test"] == values["accuracy_test"]


def test_report_is_one_offline_file(finished):
    page = (finished / "report.html").read_text()
    for words in ("Confusion matrix", "Pipeline", "Synthesis and timing", "synthesised", "Learning curve", "<svg"):
        assert words in page
    written = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)  # plotly's own text names its home page
    for address in ('src="', 'href="http', "@import"):
        assert address not in written
    assert not re.search(r"<(script|link)[^>]* (src|href)=", page)
    (summary,) = summary_tables(finished)
    assert summary.row_count >= 8


def test_runs_compare(finished, tmp_path):
    table = compare_runs([finished, finished], tmp_path / "compare.html")
    assert table.row_count == 2
    assert "small" in (tmp_path / "compare.html").read_text()


def test_verify_checks_every_hand_over(finished):
    checks = verify_run(open_run(finished))
    assert len(checks) == 7
    assert all(check.inputs > 0 for check in checks)


def test_changed_golden_answer_is_caught(finished, tmp_path):
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    answers = run / "5_emit/design/vectors/outputs.hex"
    lines = answers.read_text().splitlines()
    lines[5] = f"{int(lines[5], 16) ^ 1:0{len(lines[5])}x}"
    answers.write_text("\n".join(lines) + "\n")
    with pytest.raises(RunError, match=r"outputs\.hex is not as stage emit wrote it"):
        verify_run(open_run(run))
    stamp = run / "5_emit/stage.json"
    told = json.loads(stamp.read_text())
    told["files"]["design/vectors/outputs.hex"] = hashlib.sha256(answers.read_bytes()).hexdigest()
    stamp.write_text(json.dumps(told))
    with pytest.raises(MismatchError, match=r"outputs\.hex does not hold the answers"):
        verify_run(open_run(run))


def test_an_edited_table_in_the_verilog_is_caught(finished, tmp_path):
    run = Path(shutil.copytree(finished, tmp_path / "run"))
    (stage,) = (run / "5_emit/design/rtl").glob("*_l0.v")
    text = stage.read_text()
    found = re.search(r"'h([0-9a-f]{4,})", text)
    assert found
    edited = text[: found.start(1)] + f"{int(found[1], 16) ^ 1:0{len(found[1])}x}" + text[found.end(1) :]
    stage.write_text(edited)
    with pytest.raises(RunError, match=rf"{stage.name} is not as stage emit wrote it"):
        verify_run(open_run(run))
    stamp = run / "5_emit/stage.json"
    told = json.loads(stamp.read_text())
    told["files"][f"design/rtl/{stage.name}"] = hashlib.sha256(edited.encode()).hexdigest()
    stamp.write_text(json.dumps(told))
    with pytest.raises(MismatchError, match=rf"{stage.name} is not what the optimized tables give"):
        verify_run(open_run(run))


def test_hardware_model_predicts_through_the_verilog(finished, tmp_path):
    line = open_run(finished)
    hardware = HardwareModel(line.extracted, folder=tmp_path / "design", rtl=RtlConfig(form="table"))
    with pytest.raises(CodesignError, match="write"):
        hardware.predict(line.data.x_test[:4])
    hardware.write(line.data.x_test[:20])
    answers = hardware.predict(line.data.x_test[:50])
    assert (answers == evaluate(line.extracted, line.data.x_test[:50])).all()
    assert hardware.report()["latency_cycles"] == hardware.design.latency_cycles
