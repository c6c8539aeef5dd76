"""A search with networks that are trained, from images to simulated Verilog: small enough for every test run."""

import json

import pytest

from codesign.config import parse_model
from codesign.config.search import SearchConfig
from codesign.errors import ConfigError
from codesign.search.jobs import LocalRunner
from codesign.search.loop import run_search

NETWORKS = """\
name: tiny
kind: maps
input: [1, 8, 8]
classes: 10
multiple: 4
blocks:
  - {stride: 2, channels: [8, 4], kernel: [3]}
  - {stride: 2, channels: [16, 8], kernel: [3, 1], weight_bits: [4, 2]}
"""
HARDWARE = """\
name: few
family: engine
knobs:
  pe: {values: [2, 4]}
  simd: {values: [2, 4]}
  weight_bits: {values: [4]}
  activation_bits: {values: [4]}
  weight_depth: {values: [64, 256, 1024]}
  bank_depth: {values: [64, 256]}
  accumulator_bits: {values: [16, 20]}
  pipeline: {values: [0, 2]}
"""
SEARCH = """\
name: tiny
device: ecp5-25f
objective: {figure: cycles, limits: {luts: 10000}}
hardware: {space: few.yaml, method: genetic, evaluations: 40}
network: {space: tiny.yaml, within: 30.0, evaluations: 40}
loop: {rounds: 1, draw: 2, shortlist: 1}
realise: {images: 4, synth: false}
data: {source: digits}
train: {epochs: 3, batch_size: 64, learning_rate: 0.01, threads: 1, tensorboard: false}
rivals: false
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "tiny.yaml").write_text(NETWORKS)
    (tmp_path / "few.yaml").write_text(HARDWARE)
    (tmp_path / "search.yaml").write_text(SEARCH)
    return parse_model(SearchConfig, tmp_path / "search.yaml")


@pytest.mark.sim
def test_from_images_to_simulated_verilog(config, tmp_path):
    run, runner = tmp_path / "run", LocalRunner(tmp_path / "jobs")
    result = run_search(config, run, folder=tmp_path, runner=runner)
    arm = result["arms"]["both"]
    best = arm["best"]
    assert arm["network_evaluations"] == 40 and arm["evaluations"] <= 40
    assert best["state"] == "done" and best["measured"]["cycles"][0] == best["predicted"]["cycles"][0]
    assert best["measured"]["vectors_checked"][0] == 4 and best["measured"]["vectors_mismatched"][0] == 0
    assert best["accuracy"] >= arm["reference_accuracy"] - 30 and 0 < arm["accuracy_test"][0] <= 100
    labels = [design["network"] for design in arm["designs"]]
    assert arm["reference"] in labels and (run / "design" / "rtl").is_dir()
    assert list((run / "log" / "network_both").glob("events.*"))
    again = run_search(config, run, folder=tmp_path, runner=runner)
    assert json.dumps(again) == json.dumps(result)  # the super-network and every job are remembered


def test_what_a_search_of_trained_networks_needs(config, tmp_path):
    for change, message in (
        ({"data": None}, "needs data to train on"),
        ({"network": config.network.model_copy(update={"method": "random"})}, "searched by gradient, not 'random'"),
        ({"network": config.network.model_copy(update={"reference": "a cell"})}, "a mapping of choices to values"),
    ):
        with pytest.raises(ConfigError, match=message):
            run_search(config.model_copy(update=change), tmp_path / "run", folder=tmp_path)
