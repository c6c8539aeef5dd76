"""The loop over a family of a user's own with one network: what wins, what never does, and errors that say why."""

import json

import pytest
from loop_toys import Told, write_toy

from codesign.accel import Figure
from codesign.config import parse_model
from codesign.config.search import SearchConfig
from codesign.errors import ConfigError, RunError, SpaceError
from codesign.line import open_run
from codesign.report.search_page import without_secrets
from codesign.search import NoValidPoint
from codesign.search.jobs import LocalRunner
from codesign.search.loop import run_search
from codesign.search.loop.correction import Correction
from codesign.search.loop.hardware import Hardware, family_of
from codesign.search.loop.log import Log


def searched(folder, tmp_path, *, runner=None, **options):
    path = write_toy(folder, **options)
    config = parse_model(SearchConfig, path)
    return run_search(config, tmp_path / "run", folder=folder, runner=runner or LocalRunner(tmp_path / "jobs"))


def optimum(folder, *, luts=600, broken=()):
    """By asking every point."""
    config = parse_model(SearchConfig, folder / "search.yaml")
    family = family_of(config, folder)
    network = family.read_network(folder / "work.json")
    points = [family.space.point(number) for number in range(family.space.size)]
    fine = [p for p in points if not family.validate(p, network) and p["rows"] not in broken]
    costs = [family.cost(p, network, None) for p in fine]
    return min(c["cycles"].value for c in costs if c["luts"].value <= luts)


def test_the_optimum_is_found_built_and_reported(tmp_path):
    result = searched(tmp_path / "toy", tmp_path)
    best = result["arms"]["hardware"]["best"]
    assert best["value"] == optimum(tmp_path / "toy") and best["state"] == "done"
    assert best["figures"]["cycles"][2] == "simulated" and best["measured"]["vectors_checked"][0] == 3
    assert json.loads((tmp_path / "run" / "design" / "point.json").read_text()) == best["hardware"]
    assert result["arms"]["hardware"]["evaluations"] == 60
    rows = [json.loads(line) for line in (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()]
    costed = [row for row in rows if row["phase"] == "adapt"]
    assert len(costed) == 60 and {row["state"] for row in costed} <= {"done", "over limit"}
    assert {row["figures"]["cycles"][2] for row in costed} == {"exact"}
    with pytest.raises(RunError, match="is the folder of a search, not of a build"):
        open_run(tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "Designs that were realised" in page and "simulated" in page and "random" in page


def test_a_design_whose_build_failed_never_wins(tmp_path):
    folder = tmp_path / "toy"
    everywhere = searched(folder, tmp_path / "a")["arms"]["hardware"]["best"]
    rows = everywhere["hardware"]["rows"]
    network = json.dumps({"work": 4000, "room": 64, "broken": [rows]})
    arm = searched(folder, tmp_path / "b", network=network)["arms"]["hardware"]
    assert arm["best"]["hardware"]["rows"] != rows and arm["best"]["value"] >= everywhere["value"]
    failed = [d for d in arm["designs"] if d["state"] == "failed"]
    assert failed and all("does not build" in d["reason"] and d["value"] is None for d in failed)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ({"broken": [1, 2, 4, 8, 16]}, "does not build"),
        ({"mismatched": 2}, "2 of 3 inputs have a wrong answer"),
        ({"late": 1}, "the simulation counted"),
    ],
)
def test_where_nothing_is_right_nothing_is_returned(tmp_path, network, reason):
    with pytest.raises(SpaceError, match=reason):
        searched(tmp_path / "toy", tmp_path, network=json.dumps({"work": 4000, "room": 64, **network}))
    assert not (tmp_path / "run" / "result.json").exists()


def test_limits_are_asked_again_of_what_was_synthesised(tmp_path):
    """Synthesis takes 1.5 times the estimate: the first shortlist is over the limit, what is returned is not."""
    folder = tmp_path / "toy"
    family = None

    def answer(job):
        cost = family.cost(job.spec["point"], {"work": 4000, "room": 64}, None)
        return {
            "cycles": Figure(cost["cycles"].value, "cycles", "simulated"),
            "luts": Figure(1.5 * cost["luts"].value, "LUTs", "synthesised"),
        }

    write_toy(folder)
    family = family_of(parse_model(SearchConfig, folder / "search.yaml"), folder)
    runner = Told(answer)
    arm = searched(folder, tmp_path, runner=runner, rounds=3, luts=650)["arms"]["hardware"]
    assert arm["best"]["figures"]["luts"][0] <= 650 and arm["best"]["figures"]["luts"][2] == "synthesised"
    assert any(d["state"] == "over limit" and "synthesised" in d["reason"] for d in arm["designs"])
    assert arm["rounds"][-1]["factors"]["luts"] == pytest.approx(1.5)
    assert arm["best"]["value"] == optimum(folder, luts=650 / 1.5)  # estimates that meet the true limit


def test_errors_name_the_rule_and_the_budget(tmp_path):
    with pytest.raises(NoValidPoint, match="killed by rule 'size'"):
        searched(tmp_path / "toy", tmp_path / "a", network='{"work": 10, "room": 0}')
    with pytest.raises(SpaceError, match=r"none may win \(30 over limit\): luts at most 5, the least met is 10"):
        searched(tmp_path / "toy", tmp_path / "b", luts=5)


def test_a_family_that_is_a_cost_function_alone(tmp_path):
    result = searched(tmp_path / "toy", tmp_path, build="false")
    best = result["arms"]["hardware"]["best"]
    assert best["figures"]["cycles"][2] == "exact" and result["arms"]["hardware"].get("design") is None


def test_a_folder_of_something_else_is_refused(tmp_path):
    path = write_toy(tmp_path / "toy")
    config = parse_model(SearchConfig, path)
    run = tmp_path / "run"
    run.mkdir()
    (run / "manifest.json").write_text('{"kind": "search", "name": "other"}')
    with pytest.raises(RunError, match="is the search 'other', not of the search 'toy'"):
        run_search(config, run, folder=path.parent)
    with pytest.raises(ConfigError, match="the 2 x 2 needs both halves"):
        run_search(config.model_copy(update={"table": True}), tmp_path / "x", folder=path.parent)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("netwrk: {}", r"search.yaml:8: netwrk: unknown key 'netwrk'"),
        ("seed: -1", r"search.yaml:8: seed: .*greater than or equal to 0"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path, text, message):
    path = write_toy(tmp_path)
    path.write_text(path.read_text() + text + "\n")
    with pytest.raises(ConfigError, match=message):
        parse_model(SearchConfig, path)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("{space: nasbench201, file: a.npz}", "give either `space` or `file`"),
        ("{file: a.npz}", "write `method: reference`"),
        ("{space: nasbench201, method: reference}", "there is nothing to search"),
    ],
)
def test_contradictions_are_refused(tmp_path, network, message):
    path = tmp_path / "a.yaml"
    path.write_text(f"name: a\nhardware: {{method: default}}\nnetwork: {network}\n")
    with pytest.raises(ConfigError, match=message):
        parse_model(SearchConfig, path)


def test_a_cost_function_that_fails_hangs_or_says_words_never_ends_a_search(tmp_path):
    """With the rivals and the sweep that every search makes; `rows` 8 raises, 4 gives a word, 2 never ends."""
    folder = tmp_path / "toy"
    network = json.dumps({"work": 4000, "room": 64, "raises": [8], "words": [4], "hangs": {"2": 600}})
    path = write_toy(folder, network=network)
    path.write_text(path.read_text().replace("evaluations: 60", "evaluations: 60, time_limit_s: 0.05"))
    config = parse_model(SearchConfig, path)
    result = run_search(config, tmp_path / "run", folder=folder, runner=LocalRunner(tmp_path / "jobs"))
    best = result["arms"]["hardware"]["best"]
    assert best["hardware"]["rows"] in (1, 16)
    assert result["rivals"]["exhaustive"]["value"] == best["value"] == optimum(folder, broken=(2, 4, 8))
    rows = [json.loads(line) for line in (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()]
    reasons = {row["reason"] for row in rows if row["state"] == "failed"}
    assert any("ValueError: boom" in reason for reason in reasons)
    assert any("figures must be numbers" in reason for reason in reasons)
    assert any("took more than 0.05 s" in reason for reason in reasons)


def test_a_family_of_ones_own_has_a_time_limit_without_asking(tmp_path):
    path = write_toy(tmp_path / "toy")
    config = parse_model(SearchConfig, path)
    options = {"folder": path.parent, "seed": 0, "log": Log(None), "correction": Correction()}
    assert Hardware(config, **options)._time_limit_s == 60
    ours = config.hardware.model_copy(update={"space": "engine-cells"})
    assert Hardware(config.model_copy(update={"hardware": ours}), **options)._time_limit_s is None


def test_what_another_configuration_found_does_not_stay(tmp_path):
    searched(tmp_path / "toy", tmp_path)
    run = tmp_path / "run"
    assert (run / "result.json").is_file() and (run / "design").is_dir()
    with pytest.raises(SpaceError, match="none may win"):
        searched(tmp_path / "toy", tmp_path, luts=5)
    assert not (run / "result.json").exists() and not (run / "report.html").exists() and not (run / "design").exists()


def test_a_report_holds_no_password():
    shown = without_secrets({"name": "a", "storage": "postgresql://me:SECRET@host:5432/db"})
    assert shown == {"name": "a", "storage": "postgresql://me:***@host:5432/db"}
    assert without_secrets({"storage": "grpc://host:1"})["storage"] == "grpc://host:1"
