"""The pre-distorter: its tables pair I and Q, equal the trained network, and improve the amplifier without torch."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from codesign.config import BuildConfig, parse_model
from codesign.data import amplifier_signals, tap_features
from codesign.ir import Tables, load
from codesign.line import new_line
from codesign.nn import load_model

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPT = EXAMPLES / "predistorter.py"
CONFIG = parse_model(BuildConfig, EXAMPLES / "predistorter.yaml")


def imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return imported(SCRIPT)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """The example's own network after a few epochs."""
    path = tmp_path_factory.mktemp("predistorter") / "run"
    train = CONFIG.train.model_copy(update={"epochs": 12, "batch_size": 128, "tensorboard": False})
    data = CONFIG.data.model_copy(update={"options": {**CONFIG.data.options, "samples": 20000}})
    short = CONFIG.model_copy(update={"train": train, "data": data})
    new_line(short, path, folder=EXAMPLES).build(until="optimize")
    return path


def test_each_table_reads_i_and_q_of_one_sample(run):
    network = load(run / "3_extract" / "network.npz")
    terms = network.stages[1]
    assert isinstance(terms, Tables)
    pairs = [(2 * tap, 2 * tap + 1) for tap in range(4)]
    assert [neuron.sources for neuron in terms.neurons] == pairs * 2
    assert {len(neuron.table) for neuron in terms.neurons} == {1 << 12}


def test_tables_play_what_the_trained_network_says(run, script):
    config = parse_model(BuildConfig, run / "config.yaml").data
    signal = amplifier_signals(config)["test"].excitation.signal
    said = load_model(run / "2_train").output_values(tap_features(signal, memory=3))
    played = script.predistort(load(run / "4_optimize" / "network.npz"), signal, config=config)
    assert np.array_equal(played, signal + (said[:, 0] + 1j * said[:, 1]))
    assert np.abs(played - signal).max() > 0.01


def test_the_script_shows_a_gain_through_the_tables_without_torch(run):
    code = f"import sys, runpy; sys.modules['torch'] = None; sys.argv = ['x', '--run', {str(run)!r}]; "
    code += f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rows = {line[:36].strip(): [float(v) for v in line[36:].split()] for line in done.stdout.splitlines()[1:]}
    bare, tables, classical = (rows[k] for k in rows if k != "the signal itself")
    nmse, evm, acpr = (np.array(column) for column in zip(bare, tables, classical, strict=True))
    assert nmse[1] < nmse[0] - 8, "the tables must improve NMSE by 8 dB"
    assert evm[1] < evm[0] / 2 and acpr[1] < acpr[0]
    assert nmse[2] < nmse[1], "12-bit tables cannot beat real arithmetic on this amplifier"
    assert bare[0] == pytest.approx(-23.5, abs=0.5)


def test_acpr_sees_what_falls_beside_the_channel(script):
    drive = amplifier_signals(CONFIG.data)["test"].excitation
    time = np.arange(len(drive.signal))
    tone = np.exp(2j * np.pi * time * script.SPACING / (script.SPACING * drive.oversampling))
    clean = drive.signal * 0 + np.exp(2j * np.pi * time * 8 / 256)
    assert script.acpr_db(clean + 0.01 * tone, drive) == pytest.approx(-40, abs=0.01)
    assert script.acpr_db(clean + 0.1 * np.conj(tone), drive) == pytest.approx(-20, abs=0.01)


def test_the_converter_rounds_and_saturates(script):
    signal = np.array([0.3 + 0.126j, 1.5 - 1.5j, 0.25 + 0j])
    assert script.to_converter(signal, 3).tolist() == [0.25 + 0.25j, 0.75 - 1j, 0.25 + 0j]


def test_another_run_is_refused(script, tmp_path, monkeypatch):
    other = parse_model(BuildConfig, EXAMPLES / "own_data.yaml")
    from codesign.config import dump_yaml

    (tmp_path / "config.yaml").write_text(dump_yaml(other.model_dump(mode="json")))
    monkeypatch.setattr(sys, "argv", ["x", "--run", str(tmp_path)])
    with pytest.raises(SystemExit, match="data 'file'"):
        script.main()
