"""A search with networks that are trained, from images to simulated Verilog: small enough for every test run."""

import json

import pytest

import codesign.search.loop.maps as loop_maps
from codesign.accel import device
from codesign.accel.engine import EnginePoint
from codesign.config import parse_model
from codesign.config.search import ObjectiveConfig, SearchConfig
from codesign.errors import ConfigError
from codesign.search.jobs import LocalRunner
from codesign.search.loop import Log, run_search
from codesign.search.loop.run import make_networks
from codesign.search.networks.shape_figures import shape_figures

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


@pytest.mark.parametrize(("asked", "figure"), [("energy", "energy_nj"), ("edp", "edp"), ("interval", "cycles")])
def test_networks_are_searched_for_the_objective_at_the_agents_hardware(config, tmp_path, monkeypatch, asked, figure):
    seen = {}

    def spy(space, data, point, target, **options):
        seen.update(options, point=point, device=target.name)
        raise StopIteration

    monkeypatch.setattr(loop_maps, "search_maps", spy)
    changed = config.model_copy(update={"objective": ObjectiveConfig(figure=asked)})
    networks = make_networks(changed, run=None, folder=tmp_path, seed=0, log=Log(None))
    hardware = {"pe": 4, "simd": 2, "weight_bits": 4, "activation_bits": 4, "weight_depth": 1024}
    with pytest.raises(StopIteration):
        networks.search(hardware, share=1.0, limits={"luts": 9.0, "latency_us": 7.0}, least=None)
    engine = EnginePoint.from_dict(hardware)
    own = shape_figures(networks.space.topology(networks.reference(None).point), engine, device("ecp5-25f"))
    assert seen["figure"] == figure and seen["point"] == engine and seen["device"] == "ecp5-25f"
    assert seen["limits"] == {"latency_us": 7.0, figure: own[figure]}  # LUTs are not the network's matter


def test_what_a_search_of_trained_networks_needs(config, tmp_path):
    for change, message in (
        ({"data": None}, "needs data to train on"),
        ({"network": config.network.model_copy(update={"method": "random"})}, "searched by gradient, not 'random'"),
        ({"network": config.network.model_copy(update={"reference": "a cell"})}, "a mapping of choices to values"),
    ):
        with pytest.raises(ConfigError, match=message):
            run_search(config.model_copy(update=change), tmp_path / "run", folder=tmp_path)
