"""The joint search of LUT networks: costs are expectations, limits hold, only what was built within them can win."""

import json

import lut_toys as toys
import numpy as np
import pytest
import torch

from codesign.accel import Figure
from codesign.config import TrainConfig
from codesign.errors import ConfigError, DataError, SpaceError
from codesign.search.gradient import RelaxedChoices
from codesign.search.jobs import Job, LocalRunner, Outcome
from codesign.search.luts import (
    Figures,
    LutModel,
    LutProblem,
    LutSearchConfig,
    LutSearchOptions,
    build_of,
    calibrated,
    held_out,
    search_luts,
)
from codesign.search.luts.content import RawLayer, read_content
from codesign.search.luts.halving import Trainer, halve
from codesign.search.luts.lut_model import fit, read_rows, sum_luts
from codesign.search.luts.problem import Candidate
from codesign.search.luts.score import Effects
from codesign.search.luts.shrink import holds, shrink
from codesign.search.luts.supernet import LutSuperNet, codes_of_path, encoded

MODEL = LutModel((0.0, 0, 0, 0), 1.0, 1.0, 1.0, -1.0, (1.0, 2.0), 0.05)


@pytest.fixture
def problem(tmp_path):
    return LutProblem(toys.config(tmp_path), data=toys.data())


def _draw(figures, rng):
    return tuple(int(rng.integers(size)) for size in figures.sizes)


def test_costs_are_expectations_and_their_gradient_that_of_finite_differences(problem):
    figures = Figures(problem.space, MODEL, every=(1, 2), encoder=0.5, stands=True, lut_inputs=6)
    rng = np.random.default_rng(0)
    choices = RelaxedChoices(figures.sizes)
    with torch.no_grad():
        for logits in choices.logits:
            logits.copy_(torch.from_numpy(rng.normal(size=len(logits))))
    figures.luts.observe(_draw(figures, rng), {"last": 12.0, "l0": 3.0, "encoder": 2.0})
    for figure in (figures.luts, figures.ffs, figures.cycles):
        chances = [p.detach().numpy() for p in choices.probabilities()]
        wanted = 0.0
        for at in np.ndindex(*figures.sizes):
            wanted += figure.at(at) * float(np.prod([p[i] for p, i in zip(chances, at, strict=True)]))
        assert float(figure(choices.probabilities()).detach()) == pytest.approx(wanted, rel=1e-9)
        choices.zero_grad()
        figure(choices.probabilities()).backward()
        for logits in choices.logits:
            for place in range(len(logits)):
                sides = []
                for step in (1e-5, -1e-5):
                    with torch.no_grad():
                        logits[place] += step
                        sides.append(float(figure(choices.probabilities())))
                        logits[place] -= step
                slope = 0.0 if logits.grad is None else float(logits.grad[place])
                assert slope == pytest.approx((sides[0] - sides[1]) / 2e-5, abs=1e-5, rel=1e-5)


def test_figures_of_the_hand_made_shape(problem):
    """Six votes of six pins are six LUTs, adders as emitted, and four cycles: encoder, tables, sum, decision."""
    figures = Figures(problem.space, MODEL, every=(1, 2), encoder=0.0, stands=True, lut_inputs=6)
    point = {**figures.point([0] * len(figures.sizes)), "depth": 0, "last_terms": 10, "last_fan_in": 4}
    at = figures.indices(point)
    assert figures.luts.at(at) == pytest.approx(10 + sum_luts(10, 1) + 1 + 3)
    assert figures.cycles.at(at) == 4
    assert figures.cycles.at(figures.indices({**point, "depth": 1})) == 5
    assert figures.cycles.at(figures.indices({**point, "depth": 1, "registers_every": 2})) == 3
    assert figures.ffs.at(figures.indices({**point, "registers_every": 2})) < figures.ffs.at(at)


def test_what_was_seen_corrects_alike_networks_most(problem):
    figures = Figures(problem.space, MODEL, every=(1,), encoder=0.0, stands=True, lut_inputs=6)
    point = {**figures.point([0] * len(figures.sizes)), "depth": 1, "l0_width": 12, "l0_fan_in": 4}
    other = {**point, "l0_fan_in": 2}
    at, beside = figures.indices(point), figures.indices(other)
    before = figures.luts.at(at), figures.luts.at(beside)
    third = figures.indices({**point, "l0_bits": 2})
    for _ in range(20):
        figures.luts.observe(at, {"l0": 1.0})
        figures.luts.observe(third, {"l0": 2 * 11.8})  # as its shape says: twelve tables of two bits, nearly all read
    fell = [old - figures.luts.at(i) for old, i in zip(before, (at, beside), strict=True)]
    assert fell[0] > fell[1] > 0


def test_content_counts_what_is_alive():
    """Of four first tables one is constant, one equals another, and one nobody reads; a source is constant, too."""
    rng = np.random.default_rng(1)
    inputs = rng.integers(0, 2, size=(64, 4)).astype(np.int32)
    inputs[:, 3] = 1
    sources = np.array([[0, 1], [0, 1], [1, 2], [2, 3]], dtype=np.int64)
    both = np.array([0, 0, 0, 1], dtype=np.int32)
    tables = np.stack([both, both, np.zeros(4, dtype=np.int32), both])
    first = RawLayer("l0", sources, tables, 1, 1)
    hidden = np.stack([inputs[:, 0] & inputs[:, 1]] * 2 + [0 * inputs[:, 0], inputs[:, 2]], axis=1).astype(np.int32)
    last = RawLayer("last", np.array([[0, 2]], dtype=np.int64), np.array([[0, 1, 1, 0]], dtype=np.int32), 1, 1)
    content = read_content([first, last], [inputs, hidden], answers=1)
    assert (content.layers[0].live, content.layers[0].live_luts, content.layers[0].signals) == (1, 1, 2)
    assert content.layers[1].live == 1 and content.layers[1].signals == 1
    assert content.layers[0].reach == 1.0 and 0 < content.layers[0].entropy < 1
    wider = RawLayer("last", np.array([[0, 3], [1, 3]], dtype=np.int64), np.stack([both, both]), 1, 1)
    assert read_content([first, wider], [inputs, hidden], answers=1).layers[0].live == 2  # the equal one counts once


def test_shared_tables_compute_what_their_tables_say(problem):
    """A path's answers in training are those of the discrete tables that are read out of it."""
    space, data = problem.space, problem.data
    codes = encoded(space, data, inputs=problem.config.options.inputs, rows=(200, 50))
    net = LutSuperNet(space, codes, train=problem.config.train, seed=3)
    rng = np.random.default_rng(2)
    for _ in range(12):
        point = space.draw(rng=rng)
        given = codes[1][0]
        values = net(given, point).detach().numpy()
        layers = net.raw_layers(point, given)
        last, entering = layers[-1], codes_of_path(net, point, given)[-1]
        address = np.zeros((len(entering), len(last.sources)), dtype=np.int64)
        for pin in range(last.sources.shape[1]):
            address |= entering[:, last.sources[:, pin]].astype(np.int64) << (pin * last.source_bits)
        total = np.take_along_axis(last.tables.T, address, axis=0).sum(axis=1)
        top = 2**last.bits - 1
        assert values[:, 0] == pytest.approx(total * 2 / top - len(last.sources), abs=1e-4)
        assert all(len(np.unique(row)) == len(row) for layer in layers for row in layer.sources)


def test_effects_find_what_matters():
    effects, rng = Effects((2, 3)), np.random.default_rng(0)
    for _ in range(800):
        at = (int(rng.integers(2)), int(rng.integers(3)))
        effects.add(at, (True, at[0] == 1), 0.5 + 0.05 * at[0] + (0.02 * at[1] if at[0] else 0) + 0.01 * rng.normal())
    assert effects.at((1, 2)) - effects.at((0, 2)) == pytest.approx(5 + 2, abs=2)
    assert effects.at((1, 2)) > effects.at((1, 1)) > effects.at((1, 0))


@pytest.mark.parametrize("luts", [14, 18, 25, 40])
def test_limits_hold_at_every_logged_step_and_in_every_candidate(tmp_path, luts):
    problem = LutProblem(toys.config(tmp_path, luts=luts), data=toys.data())
    found = problem.relax()
    assert found.over == 0 and len(found.found.steps) > 5
    assert found.candidates and all(one.luts <= luts and one.cycles <= 6 for one in found.candidates)
    assert found.epochs == pytest.approx(6, rel=0.2) and 0 < found.relaxed <= 1 and 0 < found.discrete <= 1


def test_registers_are_those_that_keep_the_limits(tmp_path):
    """Within four cycles a network of five stages, two layers of tables among them, needs one after every second."""
    config = toys.config(tmp_path, registers_every=[1, 2]).model_copy(update={"limits": {"luts": 40.0, "cycles": 4.0}})
    problem = LutProblem(config, data=toys.data())
    depths = {0: 1, 1: 2}
    for depth, every in depths.items():
        point = {**problem.figures.point([0] * len(problem.figures.sizes)), "depth": depth, "registers_every": 2}
        found = problem.canonical(problem.figures.indices(point))
        assert problem.figures.point(found)["registers_every"] == every
    built = build_of(config, problem.space, problem.figures.point(found))
    assert built.rtl.registers.every == 2 and built.rtl.registers.depth is None


def test_candidates_have_the_pins_of_a_lut_and_the_votes_that_limits_allow(tmp_path):
    problem = LutProblem(toys.config(tmp_path, luts=40), data=toys.data())
    figures = problem.figures
    fan_ins = {name: values for name, values in zip(figures.names, figures.candidates, strict=True) if "fan_in" in name}
    assert any(len(values) > 1 for values in fan_ins.values())
    terms_offered = figures.candidates[figures.names.index("last_terms")]
    rng = np.random.default_rng(0)
    grown = 0
    for _ in range(200):
        at = problem.canonical([int(rng.integers(size)) for size in figures.sizes])
        if not problem.legal.holds(at):
            continue
        wide = problem.widened(at)
        before, after = figures.point(at), figures.point(wide)
        assert problem.legal.holds(wide) and problem.widened(wide) == wide
        changed = {name for name in before if before[name] != after[name]} - {"registers_every"}
        assert all(("fan_in" in name or name == "last_terms") and after[name] > before[name] for name in changed)
        more = [terms for terms in terms_offered if terms > after["last_terms"]]
        assert not any(problem.legal.holds(figures.indices({**after, "last_terms": terms})) for terms in more)
        topology = problem.space.topology({k: v for k, v in after.items() if k != "registers_every"})
        for index, layer in enumerate([*(f"l{i}" for i in range(after["depth"])), "last"]):
            if f"{layer}_fan_in" in changed:
                assert topology.address_bits(index) <= problem.device.lut_inputs
        grown += bool(changed)
    assert grown > 5


def test_a_legal_network_that_was_met_is_near_where_no_single_change_leads_to_one(tmp_path):
    """Two limits that pull apart: from the largest network every change that helps one hurts the other."""
    problem = LutProblem(toys.config(tmp_path, luts=25, fill=0.9), data=toys.data())
    rng = np.random.default_rng(0)
    legal = next(at for at in iter(lambda: _draw(problem.figures, rng), None) if problem.legal.holds(at))
    for _ in range(50):
        start = _draw(problem.figures, rng)
        logs = [
            np.where(np.arange(size) == i, -0.1, -9.0) for size, i in zip(problem.figures.sizes, start, strict=True)
        ]
        assert problem.legal.holds(problem.legal.nearest(logs))
    assert problem.legal.holds(legal)


def test_a_penalty_alone_exceeds_a_limit(tmp_path):
    """Where the limit, less its margin, is near what the smallest network takes; over it, networks are trained, too."""
    least = LutProblem(toys.config(tmp_path), data=toys.data()).figures
    config = toys.config(tmp_path, luts=least.luts.at([0] * len(least.sizes)), hold="penalty", cost_weight=0.0)
    problem = LutProblem(config, data=toys.data())
    largest = tuple(size - 1 for size in problem.figures.sizes[:-1]) + (0,)
    largest = problem.figures.indices({**problem.figures.point(largest), "last_fan_in": 2})
    assert problem.trained.holds(largest) and not problem.legal.holds(largest)
    assert problem.relax().over > 0


def test_the_most_accurate_within_the_limits_wins(tmp_path):
    config = toys.config(tmp_path, finalists=3, rungs=[])
    result = search_luts(config, toys.FakeRunner([30, 20, 20]), tmp_path / "out", data=toys.data())
    assert result.figures["accuracy_validation"].value == 0.8  # the first is more accurate, and too large
    states = [out.state for _, out in result.finalists]
    assert states == ["failed", "done", "done"] and "exceeds 25" in result.finalists[0][1].reason
    told = json.loads((tmp_path / "out" / "result.json").read_text())
    assert told["logged_steps_over_a_limit"] == 0 and set(told["drop"]) == {"relaxed", "discrete", "trained_alone"}
    assert "accuracy_test" not in told["finalists"][0]["figures"]  # the test rows are asked once, of the winner
    assert result.epochs == pytest.approx(6 + 3 * 2, rel=0.1)


def test_a_failed_build_is_no_result_and_the_next_are_built(tmp_path):
    config = toys.config(tmp_path, finalists=1, rungs=[])
    result = search_luts(config, toys.FakeRunner([20], failing={0}), tmp_path / "a", data=toys.data())
    assert len(result.finalists) == 2 and result.finalists[0][1].reason == "the build stopped"
    with pytest.raises(SpaceError, match="none of the 3 networks that were built keeps the limits"):
        search_luts(config, toys.FakeRunner([99]), tmp_path / "b", data=toys.data())


def test_the_smallest_that_is_accurate_enough_wins(tmp_path):
    """Networks of 10, 6 and 3 votes or fewer tables: those with at least 12 LUTs are within two points of the best."""
    asked = toys.config(tmp_path, finalists=1, rungs=[])
    config = asked.model_copy(update={"figure": "luts", "within": 2.0})
    runner = toys.SizedRunner(lambda luts: 0.9 if luts > 20 else 0.885 if luts >= 12 else 0.86)
    result = search_luts(config, runner, tmp_path / "out", data=toys.data())
    built = [(out.figures["luts"].value, out.figures["accuracy_validation"].value) for _, out in result.finalists]
    assert result.floor == pytest.approx(built[0][1] - 0.02)
    fine = [luts for luts, accuracy in built if accuracy >= result.floor]
    assert result.figures["luts"].value == min(fine) < built[0][0] and len(built) > 2
    assert json.loads((tmp_path / "out" / "result.json").read_text())["least_validation_accuracy"] == result.floor
    strict = search_luts(asked, toys.SizedRunner(lambda luts: luts / 100), tmp_path / "most", data=toys.data())
    assert strict.floor is None and len(strict.finalists) == 1


def test_smaller_networks_lose_a_size_at_a_time_and_shrink_alike(problem):
    figures = problem.figures
    start = {**figures.point([0] * len(figures.sizes)), "depth": 1, "l0_width": 12, "last_terms": 10}
    row = problem.smaller(start)
    sizes = [(start["l0_width"], start["last_terms"])]
    sizes += [(one.point["l0_width"], one.point["last_terms"]) for one in row]
    assert sizes == [(12, 10), (6, 10), (6, 6), (6, 3)]
    assert all(after.luts < before.luts for before, after in zip(row, row[1:], strict=False))
    assert [one.point["last_terms"] for one in problem.smaller({**start, "depth": 0})] == [6, 3]


@pytest.mark.parametrize("at_once", [1, 2, 3, 20])
@pytest.mark.parametrize("holding", range(12))
def test_bisection_finds_where_networks_cease_to_hold(at_once, holding):
    """Of a row of 11 networks the first `holding` are accurate enough."""
    row = [Candidate({"place": place}, 0.0, 1.0, 1.0, 1) for place in range(11)]
    tried = []

    def build(some):
        tried.extend(one.point["place"] for one in some)
        assert len(some) <= at_once
        good = [0.9 if one.point["place"] < holding else 0.8 for one in some]
        figures = [{"accuracy_validation": Figure(value, "share", "exact")} for value in good]
        done = [Outcome(Job("line", {}), "done", one, "", "", 0.0, "") for one in figures]
        return list(zip(some, done, strict=True))

    shrink(row, build, floor=0.85, at_once=at_once)
    assert len(tried) == len(set(tried)) <= max(4, 11 * (at_once == 20), at_once * 3)
    if holding:
        assert holding - 1 in tried
    if holding < 11:
        assert holding in tried


def test_a_build_that_failed_says_nothing_and_one_over_a_limit_does_not_hold():
    row = [Candidate({"place": place}, 0.0, 1.0, 1.0, 1) for place in range(4)]
    figures = {"accuracy_validation": Figure(0.9, "share", "exact")}

    def tried(states):
        seen = []

        def build(some):
            seen.extend(one.point["place"] for one in some)
            given = [states[one.point["place"]] for one in some]
            known = [{} if state == "stopped" else figures for state in given]
            done = ["failed" if state else "done" for state in given]
            made = [Outcome(Job("line", {}), d, f, "", "", 0.0, "") for d, f in zip(done, known, strict=True)]
            return list(zip(some, made, strict=True))

        shrink(row, build, floor=0.8, at_once=1)
        return seen

    assert tried(["", "", "stopped", ""]) == [2, 1, 3]
    assert tried(["", "", "over a limit", ""]) == [2, 1]
    assert sorted(tried(["stopped"] * 4)) == [0, 1, 2, 3]


@pytest.mark.parametrize(("accuracy", "holding"), [(0.9 - 0.001, True), (0.9 - 0.0011, False)])
def test_exactly_as_far_behind_as_is_allowed_holds(accuracy, holding):
    outcome = Outcome(
        Job("line", {}), "done", {"accuracy_validation": Figure(accuracy, "share", "exact")}, "", "", 0.0, ""
    )
    assert holds(outcome, 0.9 - 0.1 / 100) is holding


def test_equal_searches_are_equal(tmp_path):
    config = toys.config(tmp_path, finalists=1)
    found = [search_luts(config, toys.FakeRunner([20]), tmp_path / name, data=toys.data()) for name in "ab"]
    first, second = (one.as_dict() for one in found)
    assert first == second


def test_halving_trains_and_counts(tmp_path):
    config, data = toys.config(tmp_path), toys.data()
    problem = LutProblem(config, data=data)
    rng = np.random.default_rng(0)
    points = [{**problem.space.draw(rng=rng), "registers_every": 1} for _ in range(4)]
    builds = [build_of(config, problem.space, point) for point in points]
    found, trainer = halve(builds, data, rungs=[1, 2], keep=0.5, folder=tmp_path / "halving")
    assert [len(rung.accuracies) for rung in found.rungs] == [4, 2]
    assert trainer.rows == (4 * 1 + 2 * 2) * len(data.x_train)
    assert found.best in dict(found.rungs[0].accuracies) and 0.4 < found.accuracy <= 1
    again = Trainer(trainer.builds, data, tmp_path / "halving")
    records = {path: path.stat().st_mtime_ns for path in (tmp_path / "halving").rglob("accuracy.json")}
    assert again(found.best, 1, 2) == found.accuracy  # read, not trained
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "halving").rglob("accuracy.json")} == records
    other = {place: build.model_copy(update={"seed": 7}) for place, build in trainer.builds.items()}
    Trainer(other, data, tmp_path / "halving")(found.best, 1, 2)  # another network at that place is trained anew
    assert len(list((tmp_path / "halving").rglob("accuracy.json"))) == len(records) + 1


def test_a_law_that_is_exact_is_found(tmp_path):
    rows, rng = [], np.random.default_rng(0)
    for number in range(30):
        live, entropy = int(rng.integers(20, 90)), float(rng.uniform(0.3, 1))
        luts = 5 * live * np.exp(-0.3 * (1 - entropy))
        fixed = sum_luts(20, 1) + 1 + 4  # adders, threshold, a valid bit a stage
        rows.append(
            {"network": f"n{number}", "data": "toy", "layer": "last", "tables": live, "address_bits": 8, "bits": 1,
             "shape_luts": 5 * live, "live": live, "live_luts": 5 * live, "entropy": entropy, "reach": 1.0,
             "signals": 50, "terms": 20, "term_bits": 1, "answers": 1, "input_bits": 1, "encoder_luts": 0.0, "last": 1,
             "luts_layer": luts, "luts_encoder": 0, "luts_sums": sum_luts(20, 1), "luts_decide": 1,
             "luts": luts + fixed + 4, "ffs": 50 + live + 5 + 3}
        )  # fmt: skip
    model = fit(rows)
    assert model.sums == pytest.approx(1) and model.interface == pytest.approx(4, abs=0.5)
    errors = [abs(float(one["predicted"]) / float(one["luts"]) - 1) for one in held_out(rows)]
    assert max(errors) < 0.03
    with pytest.raises(DataError, match="no calibration table"):
        (tmp_path / "bad.csv").write_text("network,data\na,b\n")
        read_rows(tmp_path / "bad.csv")


def test_the_committed_calibration_predicts_what_it_did_not_see():
    from codesign.resources import resource_dir

    found = held_out(read_rows(resource_dir("accel_space") / "calibration" / "pipeline_xcup.csv"))
    calibrated_errors = [abs(float(one["predicted"]) / float(one["luts"]) - 1) for one in found]
    shape_errors = [abs(float(one["shape"]) / float(one["luts"]) - 1) for one in found]
    assert len(found) >= 24 and np.median(calibrated_errors) < 0.03 < np.median(shape_errors)
    assert np.quantile(calibrated_errors, 0.9) < 0.1 < 0.5 < np.quantile(shape_errors, 0.9)
    assert 0 < calibrated().spread < 0.2
    with pytest.raises(DataError, match="no calibration of LUT networks for device family 'ice40'"):
        calibrated("ice40")


def test_bad_input(tmp_path):
    with pytest.raises(ValueError, match="no figure 'lut'. Did you mean \"luts\""):
        LutSearchConfig(space="x", limits={"lut": 3}, data={"source": "digits"})  # pyright: ignore[reportArgumentType]
    with pytest.raises(ConfigError, match=r"network\.options\.epochs"):
        LutSearchOptions.read({"epochs": 0})
    with pytest.raises(ConfigError, match="is for 12 features and 1 answers; data 'toy' has 11 and 2"):
        narrow = toys.data()
        narrow = type(narrow)(
            narrow.name, narrow.task, narrow.x_train[:, :11], narrow.y_train, narrow.x_validation[:, :11],
            narrow.y_validation, narrow.x_test[:, :11], narrow.y_test, narrow.feature_names[:11], narrow.class_names,
            narrow.word,
        )  # fmt: skip
        LutProblem(toys.config(tmp_path), data=narrow)
    linear = toys.SPACE.replace("terms: [3, 6, 10]", "terms: [3]").replace(
        "last: {fan_in: [2, 4], bits: [1], neuron: lut", "last: {fan_in: [2], bits: [1]"
    )
    config = toys.config(tmp_path, space=linear)
    with pytest.raises(ConfigError, match="last.neuron must be lut"):
        LutProblem(config, data=toys.data()).relax()
    several = toys.config(tmp_path, space=toys.SPACE.replace("[learned]", "[random, learned]"))
    with pytest.raises(ConfigError, match="sparsity must be one way to choose sources, not random, learned"):
        LutProblem(several, data=toys.data())
    with pytest.raises(SpaceError, match="keeps the limits"):
        LutProblem(toys.config(tmp_path, luts=2), data=toys.data()).relax()
    with pytest.raises(ConfigError, match="must be of kind tables"):
        LutProblem(toys.config(tmp_path).model_copy(update={"space": "cifar10-maps"}), data=toys.data())
    assert TrainConfig().epochs == 50


@pytest.mark.slow
def test_a_whole_search_on_digits(tmp_path):
    """From data to synthesised Verilog, simulated bit for bit, within every limit."""
    (tmp_path / "space.yaml").write_text(
        "name: digits-luts\nkind: tables\ninputs: 64\nanswers: 10\ninput_bits: [1]\ndepth: [0, 1]\n"
        "layers:\n  - {width: [64, 128], fan_in: [4, 6], bits: [1], neuron: lut}\n"
        "last: {fan_in: [4, 6], bits: [1], neuron: lut, terms: [8, 16, 24]}\nsparsity: [learned]\nmax_address_bits: 6\n"
    )
    config = LutSearchConfig.model_validate(
        {
            "name": "digits",
            "space": str(tmp_path / "space.yaml"),
            "limits": {"luts": 400, "ffs": 700, "cycles": 5, "address_bits": 6},
            "data": {"source": "digits"},
            "train": {
                "epochs": 10,
                "batch_size": 64,
                "learning_rate": 0.03,
                "threads": 1,
                "sparsity": {"method": "learned"},
            },
            "options": {"epochs": 10, "rungs": [3], "candidates": 4, "finalists": 2, "inputs": {"thresholds": [8]}},
        }
    )
    result = search_luts(config, LocalRunner(tmp_path / "jobs"), tmp_path / "out")
    figures = result.figures
    assert figures["luts"].value <= 400 and figures["luts"].origin == "synthesised"
    assert figures["cycles"].value <= 5 and figures["cycles"].origin == "simulated"
    assert figures["vectors_checked"].value >= 200 and figures["vectors_mismatched"].value == 0
    assert figures["accuracy_test"].value > 0.7 and result.relaxation.over == 0
