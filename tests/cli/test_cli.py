"""The command line as people meet it: exit codes, one clear line an error, no traceback without --debug."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codesign.cli.interrupts import begins, hint
from codesign.rundir import write_json

ROOT = Path(__file__).parents[2]


def cods(*arguments: object, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "codesign", *map(str, arguments)]
    env = {**os.environ, "COLUMNS": "140", "NO_COLOR": "1", **environment}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300)


def refused(*arguments: object, folder: Path, status: int = 1, **environment: str) -> str:
    done = cods(*arguments, folder=folder, **environment)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
    return done.stderr


def config(folder: Path, text: str) -> Path:
    path = folder / "build.yaml"
    path.write_text(text)
    return path


TOPOLOGY = "topology:\n  layers:\n    - {width: 10, fan_in: 3, bits: 2}\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: a\ntopolgy: 3\n", ["build.yaml:2", "unknown key 'topolgy'", 'Did you mean "topology"?']),
        ("name: a\n  b: [", ["build.yaml:2", "malformed YAML"]),
        (f"name: a\n{TOPOLOGY}data: {{source: digit}}\n", ["digit", 'Did you mean "digits"?']),
        (f"name: a\n{TOPOLOGY}data: {{source: file}}\n", ["path"]),
        (f"name: a\n{TOPOLOGY}data: {{source: file, path: gone.csv, target: y}}\n", ["gone.csv"]),
        (f"name: a\n{TOPOLOGY.replace('fan_in: 3', 'fan_in: 20')}", ["layer 'l0'", "the cap is 15 bits"]),
        (f"name: a\n{TOPOLOGY.replace('width: 10', 'width: 7')}", ["'l0'", "width 10"]),
        (f"name: a\n{TOPOLOGY}train: {{sparsity: {{method: magnitud}}}}\n", ["magnitud", "Did you mean"]),
        (f"name: a\n{TOPOLOGY}train: {{device: cuda}}\n", ["cuda"]),
        (f"name: a\n{TOPOLOGY}synth: {{devices: [xcvu9]}}\n", ["xcvu9", 'Did you mean "xcvu9p"?']),
        (f"name: a\n{TOPOLOGY}passes: [nothing]\n", ["nothing"]),
    ],
)
def test_bad_builds_are_refused_before_work(tmp_path, text, words):
    message = refused("build", config(tmp_path, text), "--run", tmp_path / "run", folder=tmp_path)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["a,b,y", "1,2,x", "1,nan,z"], ["data.csv:3"]),
        (["a,b,y", "1,2,x", "1,z"], ["data.csv:3"]),
        (["a,b,y", "1,2,x", "1,word,z"], ["data.csv:3", "word"]),
    ],
)
def test_bad_data_is_named_by_line(tmp_path, rows, words):
    (tmp_path / "data.csv").write_text("\n".join(rows) + "\n")
    text = f"name: a\n{TOPOLOGY}data: {{source: file, path: data.csv, target: y}}\n"
    message = refused("build", config(tmp_path, text), folder=tmp_path)
    for word in words:
        assert word in message


def test_missing_set_says_where_to_put_it(tmp_path):
    text = f"name: a\n{TOPOLOGY}data: {{source: jsc_openml}}\n"
    message = refused(
        "build", config(tmp_path, text), folder=tmp_path, CODESIGN_DATA=str(tmp_path), CODESIGN_OFFLINE="1"
    )
    assert "CODESIGN_DATA" in message


def test_missing_runs_and_files(tmp_path):
    for command in ("resume", "verify", "train", "synth", "report"):
        assert "config.yaml" in refused(command, tmp_path / "nowhere", folder=tmp_path)
    assert "nothing.yaml" in refused("build", "nothing.yaml", folder=tmp_path)
    assert "nothing.yaml" in refused("cost", "nothing.yaml", folder=tmp_path)
    assert "Usage" in refused("build", folder=tmp_path, status=2)


def test_debug_shows_the_traceback(tmp_path):
    done = cods("--debug", "build", "nothing.yaml", folder=tmp_path)
    assert done.returncode != 0
    assert "Traceback" in done.stderr


def test_too_old_tool_is_named(tmp_path):
    old = tmp_path / "verilator"
    old.write_text("#!/bin/sh\necho 'Verilator 4.038 2020-07-11'\n")
    old.chmod(0o755)
    done = cods("doctor", folder=tmp_path, CODESIGN_VERILATOR=str(old))
    assert done.returncode == 0
    assert "too old" in done.stdout


def test_cost_gives_the_published_worst_case(tmp_path):
    luts = {}
    for preset in ("jsc-s", "jsc-m"):
        done = cods("cost", preset, "--json", folder=tmp_path)
        assert done.returncode == 0, done.stderr
        luts[preset] = sum(layer["table_luts"] for layer in json.loads(done.stdout)["layers"])
    assert luts == {"jsc-s": 330, "jsc-m": 42075}


@pytest.mark.parametrize("command", [["--help"], ["build", "--help"], ["--version"], ["devices"]])
def test_help_and_lists(tmp_path, command):
    done = cods(*command, folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout.strip()


def test_examples_have_a_cost(tmp_path):
    found = [p for p in sorted((ROOT / "examples").glob("*.yaml")) if "topology:" in p.read_text()]
    assert found
    for path in found:
        done = cods("cost", path, "--json", folder=tmp_path)
        assert done.returncode == 0, (path, done.stderr)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["jsc-x"], "no topology preset 'jsc-x'. Did you mean \"jsc-s\""),
        (["jsc-s", "--inputs", "-3"], "Invalid value for '--inputs'"),
        (["bare.yaml"], "layers must stand under `topology:`"),
    ],
)
def test_what_has_no_cost_is_refused(tmp_path, words, told):
    (tmp_path / "bare.yaml").write_text("layers:\n  - {width: 2, fan_in: 2, bits: 1}\n")
    done = cods("cost", *words, folder=tmp_path)
    assert done.returncode in (1, 2) and told in " ".join(done.stderr.split()), done.stderr


def test_a_preset_takes_other_inputs_and_answers(tmp_path):
    done = cods("cost", "jsc-s", "--inputs", 8, "--answers", 3, "--json", folder=tmp_path)
    assert json.loads(done.stdout)["layers"][-1]["neurons"] == 3


def runs(process: int) -> bool:
    """Whether a process is there and has not ended; one that nobody has waited for yet has ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("number", "word"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "terminated")])
def test_a_stopped_command_ends_its_tools(tmp_path, number, word):
    """A doctor whose Verilator never answers is stopped; the tool ends with it."""
    slow = tmp_path / "verilator"
    slow.write_text(f"#!/bin/sh\nsleep 600 &\necho $$ $! > {tmp_path}/pid\nwait\n")
    slow.chmod(0o755)
    environment = {**os.environ, "CODESIGN_VERILATOR": str(slow)}
    child = subprocess.Popen(
        [sys.executable, "-m", "codesign", "doctor"], env=environment, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip()):
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.05)
    child.send_signal(number)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 128 + number and told.strip() == word  # a doctor leaves nothing to go on with
    started = [int(word) for word in (tmp_path / "pid").read_text().split()]  # the tool, and what it started
    assert len(started) == 2
    deadline = time.monotonic() + 60
    while any(map(runs, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(runs, started))


SLOW_FAMILY = """
import time
from pathlib import Path
from codesign.accel import AcceleratorFamily, Figure

HERE = Path(__file__).parent

class Slow(AcceleratorFamily):
    def read_network(self, path):
        return None

    def validate(self, point, network, device=None):
        self.wait("validate")
        return ()

    def cost(self, point, network, device):
        return {"cycles": Figure(8 // point["rows"], "cycles", "exact")}

    def draw_inputs(self, network, count, *, rng):
        return rng.integers(0, 4, (count, 1))

    def generate(self, point, network, folder):
        folder.mkdir(parents=True, exist_ok=True)
        self.wait("generate")

    def simulate(self, folder, network, inputs, *, work):
        raise AssertionError("it was to be stopped before")

    def wait(self, where):
        if (HERE / f"stop_in_{where}").exists():
            (HERE / "there").touch()
            time.sleep(600)
"""


def stopped_search(folder: Path, where: str, number: int, *command: str) -> str:
    """Start a command over the family above, stop it where it waits, and return what it said last."""
    (folder / f"stop_in_{where}").touch()
    line = [sys.executable, "-m", "codesign", *command]
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "140"}
    child = subprocess.Popen(line, cwd=folder, stderr=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 60
    while not (folder / "there").exists():
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.05)
    child.send_signal(number)
    _, told = child.communicate(timeout=60)
    for name in (f"stop_in_{where}", "there"):
        (folder / name).unlink()
    assert child.returncode == 128 + number
    return told.strip().splitlines()[-1]


def test_a_stopped_search_says_how_to_go_on_once_there_is_something_to_go_on_with(tmp_path):
    """Before its folder is whole nothing was begun; from then on the resume that is named works."""
    (tmp_path / "slow.py").write_text(SLOW_FAMILY)
    (tmp_path / "space.yaml").write_text("name: slow\nfamily: slow.py:Slow\nknobs:\n  rows: {values: [1, 2, 4]}\n")
    (tmp_path / "net.txt").write_text("")
    (tmp_path / "search.yaml").write_text(
        "name: slow\ndevice: ecp5-25f\nobjective: {figure: cycles}\nrivals: false\n"
        "hardware: {space: space.yaml, method: random, evaluations: 3}\n"
        "network: {file: net.txt, method: reference}\nloop: {rounds: 1, shortlist: 1}\n"
    )
    told = stopped_search(tmp_path, "validate", signal.SIGINT, "search", "search.yaml", "--run", "run")
    assert told == "interrupted; nothing was begun"
    assert not (tmp_path / "run").exists()
    told = stopped_search(tmp_path, "generate", signal.SIGTERM, "search", "search.yaml", "--run", "run")
    assert told == "terminated; what is finished is kept: `cods resume run` goes on"
    told = stopped_search(tmp_path, "generate", signal.SIGINT, "resume", "run")
    assert told == "interrupted; what is finished is kept: `cods resume run` goes on"


def test_a_folder_that_stood_before_is_not_what_a_stopped_command_goes_on_with(tmp_path):
    """Until its manifest is written anew it is another's, which `cods resume` would go on with instead."""
    assert hint() == ""
    for name in ("config.yaml", "manifest.json"):
        (tmp_path / name).write_text("{}")
    with begins(tmp_path):
        assert hint() == "nothing was begun"
        write_json(tmp_path / "manifest.json", {})
        assert hint() == f"what is finished is kept: `cods resume {tmp_path}` goes on"
        with begins(again="the same command"):
            assert hint() == "what is finished is kept: the same command goes on"
    with begins(tmp_path, known=True):
        assert f"cods resume {tmp_path}" in hint()
    with begins(tmp_path / "absent", known=True):
        assert hint() == "nothing was begun"
