"""The loop over a family of a user's own with one network: what wins, what never does, and errors that say why."""

import json
import re

import pytest
from loop_toys import Told, write_toy

from codesign.accel import Figure
from codesign.config import parse_model
from codesign.config.search import SearchConfig
from codesign.errors import CodesignError, ConfigError, RunError, SpaceError
from codesign.line import open_run
from codesign.report.search_page import result_tables, without_secrets
from codesign.search import NoValidPoint
from codesign.search.jobs import LocalRunner
from codesign.search.loop import open_search, run_search
from codesign.search.loop.correction import Correction
from codesign.search.loop.hardware import Hardware, family_of
from codesign.search.loop.log import Log
from codesign.search.loop.start import check_storage


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
    """With the rivals: the front of two figures is compared too."""
    result = searched(tmp_path / "toy", tmp_path, rivals="true")
    best = result["arms"]["hardware"]["best"]
    assert best["value"] == optimum(tmp_path / "toy") and best["state"] == "done"
    assert best["figures"]["cycles"][2] == "simulated" and best["measured"]["vectors_checked"][0] == 3
    assert json.loads((tmp_path / "run" / "design" / "point.json").read_text()) == best["hardware"]
    assert result["arms"]["hardware"]["evaluations"] == 60
    rows = [json.loads(line) for line in (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()]
    costed = [row for row in rows if row["phase"] == "adapt"]
    assert len(costed) == 60 and {row["state"] for row in costed} <= {"done", "over limit"}
    assert {row["figures"]["cycles"][2] for row in costed} == {"exact"}
    readme = tmp_path / "run" / "design" / "README.md"
    said = f"is the folder of a search, not of a build.*{readme} says how the hardware that it returned is simulated"
    with pytest.raises(RunError, match=said):
        open_run(tmp_path / "run")
    assert f"| rows | {best['hardware']['rows']} |" in readme.read_text()  # the family wrote none
    assert len((tmp_path / "run" / "design" / "inputs.txt").read_text().splitlines()) == 3
    page = (tmp_path / "run" / "report.html").read_text()
    assert "generated and simulated, not synthesised" in page and "Designs that were built" in page
    folder = tmp_path / "toy"
    network = json.loads((folder / "work.json").read_text())
    family = family_of(parse_model(SearchConfig, folder / "search.yaml"), folder)
    equals = [row["figures"]["luts"][0] for row in costed if row["value"] == best["value"] and row["state"] == "done"]
    assert best["figures"]["luts"][0] == min(equals)  # of those that it met, the smallest
    rivals = result["rivals"]
    assert set(rivals) == {"exhaustive", "random", "genetic", "nsga2", "nsga2, two figures", "tpe", "agent"}
    assert all(name in page for name in rivals)
    assert {row["evaluations"] for name, row in rivals.items() if name != "exhaustive"} == {60}
    shares = {name: row["front_share"] for name, row in rivals.items()}
    assert shares["exhaustive"] == 1 and all(0 < share <= 1 + 1e-12 for share in shares.values())
    assert shares["nsga2, two figures"] > shares["genetic"] - 0.02  # of the front it is the one that looks for it
    fine = [p for n in range(family.space.size) if not family.validate(p := family.space.point(n), network)]
    costs = [family.cost(point, network, None) for point in fine]
    pairs = {(c["cycles"].value, c["luts"].value) for c in costs if c["luts"].value <= 600}
    best = sorted(one for one in pairs if not any(a[0] <= one[0] and a[1] <= one[1] and a != one for a in pairs))
    assert [tuple(one) for one in rivals["exhaustive"]["front"]] == best


def columns(page, title):
    """The headings of the table below a heading of a report."""
    return re.findall(
        r"<th[^>]*>([^<]*)(?:<span[^<]*</span>)?</th>", page.split(f"<h2>{title}</h2>")[1].split("</tr>")[0]
    )


def test_reports_name_the_family_and_have_no_empty_columns(tmp_path):
    result = searched(tmp_path / "toy", tmp_path, rivals="true")
    page = (tmp_path / "run" / "report.html").read_text()
    assert result["family"] == "toy (toy_family.py:ToyFamily)"
    assert "toy (toy_family.py:ToyFamily), a family of one's own" in page and "family: engine" not in page
    assert "Against the default" not in page and "agent's hardware" not in page  # the method is a genetic search
    assert columns(page, "Rounds") == ["round", "cycles, at first", "after searching", "evaluations", "designs"]
    assert columns(page, "Designs that were built") == [
        *("round", "state", "cycles simulated", "cycles by the model", "LUTs estimated")
    ]
    config = parse_model(SearchConfig, tmp_path / "run" / "config.yaml")
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert config.family == "own" and manifest["family"] == result["family"]
    printed = {table.title: [column.header for column in table.columns] for table in result_tables(result)}
    assert all(
        all(str(cell) for cell in column.cells) for table in result_tables(result)[1:] for column in table.columns
    )
    assert list(printed)[1] == "searching the found network's accelerator: cycles"
    default = "{rows: 1, lanes: 1, depth: 16, fast: false}"
    path = tmp_path / "toy" / "search.yaml"
    path.write_text(path.read_text().replace("method: genetic", f"method: genetic, default: {default}"))
    runner = LocalRunner(tmp_path / "jobs")
    config = parse_model(SearchConfig, path)
    result = run_search(config, tmp_path / "default", folder=tmp_path / "toy", runner=runner)
    page = (tmp_path / "default" / "report.html").read_text()
    assert columns(page, "Against the default") == ["", "cycles", "LUTs", "accelerators evaluated"]
    headings = [str(column.header) for column in result_tables(result)[1].columns]
    assert headings == ["", "cycles", "evaluations"]


def test_the_family_that_a_file_names_is_that_of_its_space(tmp_path):
    path = write_toy(tmp_path / "toy")
    path.write_text(
        path.read_text().replace("hardware: {space: space.yaml", "family: own\nhardware: {space: engine-agent")
    )
    with pytest.raises(ConfigError, match="`own` is for a family of one's own; .* is of the family 'engine'"):
        run_search(parse_model(SearchConfig, path), tmp_path / "run", folder=tmp_path / "toy")


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


def test_errors_name_the_rule_and_the_budget(tmp_path, monkeypatch):
    with pytest.raises(NoValidPoint, match="killed by rule 'size'"):
        searched(tmp_path / "toy", tmp_path / "a", network='{"work": 10, "room": 0}')
    runner = Told(lambda job: {})
    told = r"none of the \d+ valid points of space 'toy' for work.json .*: luts at most 5, the least met is 10\. Raise"
    with pytest.raises(SpaceError, match=told):  # before anything is made
        searched(tmp_path / "toy", tmp_path / "b", luts=5, runner=runner)
    assert not (tmp_path / "b" / "run").exists() and not runner.jobs
    monkeypatch.setattr("codesign.search.loop.hardware._ASKING_S", 0.0)  # a family too slow to be asked beforehand
    with pytest.raises(SpaceError, match=r"none may win \(30 over limit\): luts at most 5, the least met is 10"):
        searched(tmp_path / "toy", tmp_path / "c", luts=5)


def test_where_every_design_is_over_a_limit_the_least_is_told(tmp_path):
    def answer(job):
        cycles = 4000 // (job.spec["point"]["rows"] * job.spec["point"]["lanes"])
        cycles += 3 * job.spec["point"]["rows"] + job.spec["point"]["depth"] // 16
        return {"cycles": Figure(cycles, "cycles", "simulated"), "luts": Figure(9000, "LUTs", "synthesised")}

    told = (
        r"over limit: luts 9,000 \(synthesised\) exceeds 650.* Limits: luts at most 650, the least met is 9000\. Raise"
    )
    with pytest.raises(SpaceError, match=told):
        searched(tmp_path / "toy", tmp_path, runner=Told(answer), luts=650)


def test_a_family_that_is_a_cost_function_alone(tmp_path):
    result = searched(tmp_path / "toy", tmp_path, build="false")
    best = result["arms"]["hardware"]["best"]
    assert best["figures"]["cycles"][2] == "exact" and result["arms"]["hardware"].get("design") is None
    page, printed = (tmp_path / "run" / "report.html").read_text(), " ".join(t.title for t in result_tables(result))
    for text in (page.split("<h1>")[1], printed):
        assert "costed" in text and "nothing was built" in text
        assert not any(word in text for word in ("realised", "Verilog", "synthesised", "simulated bit for bit"))


@pytest.mark.parametrize(
    ("realise", "message"),
    [
        (
            "{synth: true}",
            "realise.synth: the family 'toy_family.py:ToyFamily' is not ours, and we know no synthesis of its designs",
        ),
        ("{route: true}", "realise.route: the family .* is not ours"),
        ("{build: false, synth: true}", "realise.synth: with `build: false` nothing is built"),
    ],
)
def test_what_a_family_of_ones_own_cannot_have_is_refused(tmp_path, realise, message):
    path = write_toy(tmp_path / "toy")
    text = path.read_text()
    path.write_text(text.replace("realise: {images: 3, build: true}", f"realise: {realise}"))
    with pytest.raises(ConfigError, match=message):
        run_search(parse_model(SearchConfig, path), tmp_path / "run", folder=path.parent)
    assert not (tmp_path / "run").exists()


def test_a_family_without_hardware_must_say_so(tmp_path):
    path = write_toy(tmp_path / "toy")
    family = path.parent / "toy_family.py"
    family.write_text(family.read_text().replace("def generate", "def other"))
    with pytest.raises(ConfigError, match="has no method `generate`, so its designs cannot be built. Write .*false"):
        run_search(parse_model(SearchConfig, path), tmp_path / "run", folder=path.parent)
    ours = {"name": "a", "network": {"file": "cifar10-small", "method": "reference"}, "realise": {"build": False}}
    with pytest.raises(ConfigError, match="only what was built is returned"):
        run_search(SearchConfig.model_validate(ours), tmp_path / "run", folder=path.parent)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("luts: 600", "lutz: 600", "the family gives no figure 'lutz'.*Did you mean \"luts\".*It gives: cycles, luts"),
        ("figure: cycles", "figure: latency", "the family gives no figure 'latency_us'.*It gives: cycles, luts"),
        ("luts: 600", "luts: -600", "greater than 0"),
        ("ecp5-25f", "ecp5-26f", "ecp5-26f"),
        ("space: space.yaml", "space: spice.yaml", "spice.yaml"),
        ("work.json", "wurk.json", "wurk.json"),
        ("rivals: false", "rivals: false\nstorage: nowhere", "a storage must be journal:PATH.*not 'nowhere'"),
        ("rivals: false", "rivals: false\nstorage: sqlite:///a.db", "cannot serve more than one worker: SQLite locks"),
        ("method: reference", "method: reference, options: {steps: 3}", "there is one network, which is not searched"),
        ("method: genetic", "method: genetic, default: {rows: 3}", "must set every knob; missing: lanes, depth, fast"),
    ],
)
def test_a_start_that_fails_leaves_no_folder(tmp_path, monkeypatch, old, new, message):
    """Not one evaluation of the budget is spent, and nothing is written."""
    path = write_toy(tmp_path / "toy")
    path.write_text(path.read_text().replace(old, new))
    monkeypatch.chdir(tmp_path)
    with pytest.raises((CodesignError, OSError), match=message):
        run_search(parse_model(SearchConfig, path), tmp_path / "run", folder=path.parent, workers=1)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["toy"]


def test_sqlite_is_for_one_process_and_says_so(tmp_path):
    config = parse_model(SearchConfig, write_toy(tmp_path / "toy"))
    said = []
    for name in ("journal", f"sqlite:///{tmp_path}/a.db"):
        changed = config.model_copy(update={"storage": name})
        check_storage(changed, tmp_path / "run", workers=0, tell=said.append)
    assert len(said) == 1 and "SQLite: this process works alone" in said[0]
    with pytest.raises(ConfigError, match="cannot serve more than one worker"):
        check_storage(changed, tmp_path / "run", workers=1, tell=said.append)
    with pytest.raises(ConfigError, match="for one process alone, sqlite:///PATH; not 'mysql://me:\\*\\*\\*@host/db'"):
        changed = config.model_copy(update={"storage": "mysql://me:SECRET@host/db"})
        check_storage(changed, tmp_path / "run", workers=0, tell=said.append)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["toy"]


def test_a_folder_that_was_moved_can_still_be_read(tmp_path):
    searched(tmp_path / "toy", tmp_path)
    (tmp_path / "run").rename(tmp_path / "alone")
    assert open_search(tmp_path / "alone")[1] == tmp_path / "toy"  # as it was when the search began
    (tmp_path / "alone").rename(tmp_path / "run")
    place = tmp_path / "elsewhere"
    place.mkdir()
    for name in ("toy", "run", "jobs"):
        (tmp_path / name).rename(place / name)
    config, folder = open_search(place / "run")
    assert folder == place / "toy"  # moved together
    again = run_search(config, place / "run", folder=folder, runner=LocalRunner(place / "jobs"))
    assert again["arms"]["hardware"]["best"]["state"] == "done"
    (place / "toy" / "space.yaml").unlink()  # what the search reads is nowhere
    with pytest.raises(RunError, match="the search reads space.yaml, which is not in .*elsewhere/toy; bring"):
        open_search(place / "run")


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
        ("netwrk: {}", r"search.yaml:9: netwrk: unknown key 'netwrk'"),
        ("seed: -1", r"search.yaml:9: seed: .*greater than or equal to 0"),
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
    path = write_toy(folder, network=network, rivals="true", evaluations=40)
    path.write_text(path.read_text().replace("evaluations: 40", "evaluations: 40, time_limit_s: 0.05"))
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


def test_what_another_configuration_found_does_not_stay(tmp_path, monkeypatch):
    monkeypatch.setattr("codesign.search.loop.hardware._ASKING_S", 0.0)  # its limits are not asked beforehand
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
