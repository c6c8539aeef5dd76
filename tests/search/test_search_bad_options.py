"""What is wrong in a search file is told by its key, in plain words, before anything is searched."""

from __future__ import annotations

import time

import pytest
from lut_toys import SPACE
from typer.testing import CliRunner

from codesign.cli.app import app
from codesign.config import InputsConfig, check_mapping
from codesign.config.search import SearchConfig
from codesign.errors import ConfigError, DataError, SpaceError
from codesign.search.gradient import GradientConfig
from codesign.search.loop import run_search
from codesign.search.loop.alternate import Loop
from codesign.search.loop.correction import Correction
from codesign.search.loop.hardware import Hardware, family_of
from codesign.search.loop.log import Log
from codesign.search.loop.networks import gradient_options, network_figure
from codesign.search.luts.config import LutSearchOptions
from codesign.search.luts.lut_model import calibrated
from codesign.search.networks import network_space, operations_of


def search_file(**sections) -> SearchConfig:
    sections = {"network": {"space": "nasbench201", "accuracy": "cifar10"}, **sections}
    return SearchConfig.model_validate({"name": "a", **sections})


def options_file(options: dict) -> SearchConfig:
    return search_file(network={"space": "nasbench201", "options": options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": "many"}, "network.options.steps must be a whole number, not 'many'"),
        ({"steps": True}, "network.options.steps must be a whole number, not True"),
        ({"steps": 0}, "network.options.steps must be more than 0, not 0"),
        ({"log_every": 2.5}, "network.options.log_every must be a whole number, not 2.5"),
        ({"cost_weight": "x"}, "network.options.cost_weight must be a number, not 'x'"),
        ({"cost_weight": float("nan")}, "network.options.cost_weight must be a number, not nan"),
        ({"cost_weight": 10**400}, "network.options.cost_weight must be a number"),
        ({"penalty": -1}, "network.options.penalty must not be negative, not -1"),
        ({"learning_rate": [1]}, "network.options.learning_rate must be a number"),
        ({"mode": "exakt"}, "network.options.mode must be exact, relaxed or one_path, not 'exakt'. Did you mean \"exa"),
        ({"mode": 3}, "network.options.mode must be exact, relaxed or one_path, not 3"),
        (
            {"hold": "penal"},
            "hold must be projection or penalty, not 'penal'. Did you mean \"penalty\"",
        ),
    ],
)
def test_an_option_of_the_gradient_search_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        gradient_options(options_file(options), {"steps": 60})


def test_options_of_the_gradient_search_stay_as_they_were_given():
    given = {"steps": 8, "cost_weight": 1, "mode": "relaxed", "hold": "penalty", "start_spread": 0.5}
    assert gradient_options(options_file(given), {"log_every": 5}) == GradientConfig(**given, log_every=5)
    assert gradient_options(options_file({}), {}) == GradientConfig()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epoch": 1}, "^network.options.epoch: unknown key 'epoch'. Did you mean \"epochs\"\\?$"),
        ({"inputs": {"threshold": [8]}}, "network.options.inputs.threshold: unknown key 'threshold'. Did you mean"),
        ({"epochs": "many"}, "network.options.epochs: .*, not 'many'"),
        ({"rungs": [3, 1]}, "network.options: rungs must grow, not \\[3, 1\\]"),
        ({"epoch": 1, "keep": 2}, "(?s)network.options.keep: .*\n.*network.options.epoch"),
    ],
)
def test_an_option_of_the_search_of_lut_networks_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        LutSearchOptions.read(options)


def test_a_key_that_is_missing_is_named():
    with pytest.raises(ConfigError, match="^here.family: the key 'family' is missing"):
        check_mapping(SearchFileOfFamily, {}, where="here")
    assert check_mapping(InputsConfig, {}, where="here") == InputsConfig()


class SearchFileOfFamily(InputsConfig):
    """A section with a key that must be given."""

    family: str


@pytest.mark.parametrize(
    ("figure", "message"),
    [
        (
            "ed",
            "objective.figure: there is no figure 'ed'. Did you mean \"edp\"\\? Cells are searched for a cost",
        ),
        ("latncy", "there is no figure 'latncy'. Did you mean \"latency\""),
        ("accuracy", "`network.within` holds their accuracy, so it cannot be accuracy; it must be latency, energy"),
        ("luts", "cells cannot be searched for 'luts', which no network decides"),
        ("nothing", "cells cannot be searched for 'nothing', which no network decides"),
    ],
)
def test_a_figure_that_networks_cannot_be_searched_for(figure, message):
    known = ("cycles", "latency_us", "energy_nj", "edp")
    with pytest.raises(ConfigError, match=message):
        network_figure(search_file(objective={"figure": figure}), known, what="cells")


def test_tables_that_cannot_be_shared_are_refused_in_true_words(tmp_path):
    from codesign.search.luts.supernet import LutSuperNet
    from codesign.search.networks import TableSpace

    (tmp_path / "space.yaml").write_text(SPACE.replace("neuron: lut", "neuron: linear", 1))
    space = network_space(str(tmp_path / "space.yaml"))
    assert isinstance(space, TableSpace)
    with pytest.raises(ConfigError, match="neuron must be lut.*not 'linear'; other kinds .* `cods build`") as told:
        LutSuperNet(space, {}, train=search_file().train, seed=0)
    assert "halving" not in str(told.value)


KNOWN = "Known: none, skip_connect, nor_conv_1x1, nor_conv_3x3, avg_pool_3x3"


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("|nor_conv_5x5~0|", f"no operation 'nor_conv_5x5'. Did you mean \"nor_conv_.*{KNOWN}"),
        ("|none~0|+|none~0|sleep~1|+|none~0|none~1|none~2|", f"no operation 'sleep'.*{KNOWN}"),
        ("|none~0|", "an architecture must look like"),
        ("rubbish", "an architecture must look like"),
        ("", "an architecture must look like"),
    ],
)
def test_a_wrong_cell_is_told(arch, message):
    with pytest.raises(ConfigError, match=message):
        operations_of(arch)


class _Cells:
    """A network half that reads its reference, and nothing else."""

    def __init__(self, config):
        self.config = config

    def check(self):
        pass

    def reference(self, default):
        given, space = self.config.network.reference, network_space("nasbench201")
        if given is None:
            raise SpaceError("the default accelerator runs none")
        return space.point(given) if isinstance(given, str) else space.choices.check(given)  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["agent", "default"])
@pytest.mark.parametrize(
    ("reference", "error", "message"),
    [
        ("|nor_conv_5x5~0|", ConfigError, "^network.reference: architecture .* no operation 'nor_conv_5x5'"),
        ({"edge99": "none"}, SpaceError, "^network.reference: .*edge99"),
        (None, SpaceError, "^the default accelerator runs none"),
    ],
)
def test_a_wrong_reference_is_told_with_its_key(tmp_path, method, reference, error, message):
    network = {"space": "nasbench201", "accuracy": "cifar10", "reference": reference}
    config = search_file(network=network, hardware={"method": method})
    given: dict = {"log": Log(None), "correction": Correction()}
    hardware = Hardware(config, folder=tmp_path, seed=0, **given)
    with pytest.raises(error, match=message):
        Loop(hardware, _Cells(config), None, **given).prepare()  # type: ignore[arg-type]


def test_a_family_without_a_calibration_is_told_which_have_one():
    with pytest.raises(DataError, match=r"family that has one: .*xcup \(.*xcvu9p.*lut_calibration --family ice40 --wr"):
        calibrated("ice40")


def test_a_space_that_does_not_exist_is_told_with_its_key(tmp_path):
    config = search_file(hardware={"space": "engine-agnt"})
    with pytest.raises(SpaceError, match="^hardware.space: no space 'engine-agnt'. Did you mean \"engine-agent\""):
        family_of(config, tmp_path)


@pytest.mark.parametrize("limits", [{"latency": 50, "energy": 9.0, "luts": 3}, {"latency_us": 50, "energy_nj": 9.0}])
def test_limits_have_the_short_names_of_figures_too(tmp_path, limits):
    config = search_file(objective={"figure": "latency", "limits": limits})
    hardware = Hardware(config, folder=tmp_path, seed=0, log=Log(None), correction=Correction())
    full = {"latency_us": 50, "energy_nj": 9.0} | {k: v for k, v in limits.items() if k == "luts"}
    assert hardware.goal.limits == full and hardware.goal.figure == "latency_us"
    assert set(hardware.correction.objective(hardware.goal).limits) == set(full)


def test_a_limit_that_is_given_twice_is_refused(tmp_path):
    config = search_file(objective={"limits": {"latency": 50, "latency_us": 60}})
    with pytest.raises(ConfigError, match="objective.limits: latency and latency_us are the same figure"):
        Hardware(config, folder=tmp_path, seed=0, log=Log(None), correction=Correction())


def test_limits_of_a_family_of_ones_own_keep_their_names(tmp_path):
    from loop_toys import write_toy

    folder = write_toy(tmp_path).parent
    config = search_file(
        objective={"limits": {"latency": 50}},
        hardware={"space": "space.yaml"},
        network={"file": "work.json", "method": "reference"},
    )
    hardware = Hardware(config, folder=folder, seed=0, log=Log(None), correction=Correction())
    assert hardware.goal.limits == {"latency": 50}


def test_the_status_of_a_journal_that_is_not_there_is_told_at_once(tmp_path):
    for name in (f"journal:{tmp_path}/none.journal", f"{tmp_path}/none.log", f"journal:{tmp_path}"):
        began = time.monotonic()
        done = CliRunner().invoke(app, ["worker", name, "--status"])
        assert done.exit_code != 0 and "there is no journal" in str(done.exception)
        assert time.monotonic() - began < 10
    assert not list(tmp_path.iterdir())


def test_a_search_is_resumed_with_workers(tmp_path, monkeypatch):
    import codesign.cli.search as command

    (tmp_path / "manifest.json").write_text('{"kind": "search", "name": "a"}')
    asked = []
    monkeypatch.setattr(command, "resume_search", lambda run, *, workers: asked.append((run, workers)))
    for more in ([], ["--workers", "2"]):
        done = CliRunner().invoke(app, ["resume", str(tmp_path), *more])
        assert done.exit_code == 0, done.output
    assert asked == [(tmp_path, 0), (tmp_path, 2)]


def test_one_build_is_not_resumed_with_workers(tmp_path):
    (tmp_path / "config.yaml").write_text("name: a\n")
    done = CliRunner().invoke(app, ["resume", str(tmp_path), "--workers", "2"])
    assert done.exit_code != 0 and "--workers is for the jobs of a search" in str(done.exception)


@pytest.mark.parametrize("family", ["engine", "pipeline"])
def test_device_and_network_space_are_told_by_their_keys(tmp_path, family):
    plain = {
        "name": "wrong",
        "family": family,
        "objective": {"figure": "edp" if family == "engine" else "luts", "limits": {"luts": 4000}},
        "hardware": {"space": "engine-cells" if family == "engine" else "pipeline"},
        "network": {"space": "nasbench201" if family == "engine" else "nid-luts", "accuracy": None},
        "data": {"source": "digits"},
    }
    for changed, message in (
        ({"device": "ecp5-85"}, 'device: .*Did you mean "ecp5-85f"'),
        ({"network": {"space": "nasbench20" if family == "engine" else "nid-lut"}}, "network.space: .*Did you mean"),
    ):
        with pytest.raises(ConfigError, match=message):
            run_search(SearchConfig.model_validate(plain | changed), tmp_path / "run", folder=tmp_path)
        assert not (tmp_path / "run").exists()
