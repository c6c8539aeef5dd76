"""The blackboard on a journal file: claims, heartbeats, lost workers, resuming, a storage that goes away."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import board_toys as toys
import pytest

from codesign.accel.family import Figure
from codesign.errors import ConfigError, RunError, StorageError, ToolNotFound
from codesign.search.blackboard import Blackboard, Board, Store, Worker
from codesign.search.blackboard.board import Entry, WorkerRecord
from codesign.search.blackboard.journal import JournalFile
from codesign.search.jobs import Job, Outcome


def new_board(path: Path, **settings) -> Board:
    store = Store(f"journal:{path}", patience_s=0.5)
    return Board.begin(store, "s", **{"stale_s": 60.0, "losses": 3, "shown": {}, **settings})


def entry(board: Board, number: int) -> Entry:
    return board.entries()[number]


def outcome(job: Job, value: float = 1.0, worker: str = "w") -> Outcome:
    return Outcome(job, "done", {"y": Figure(value, "units", "exact")}, "", worker, 1.0, "")


# With processes.


def test_two_workers_one_killed(tmp_path):
    """A worker is killed with SIGKILL in mid-job: the other one does that job, and no other job is done twice."""
    storage, log = f"journal:{tmp_path}/search.log", tmp_path / "log"
    jobs = [toys.toy(1, log), toys.toy(2, log), toys.toy(4, log, sleep=1.5), toys.toy(5, log, do="raise")]
    board = Blackboard(storage, "s", works=False, stale_s=2, poll_s=0.1)
    with toys.workers(storage, 2, tmp_path) as (first, second), board:
        found: list[Outcome] = []
        lead = threading.Thread(target=lambda: found.extend(board.evaluate([*jobs, jobs[0]])))
        lead.start()
        toys.wait_until(lambda: 4 in toys.begun(log))
        store = Store(storage)
        running = next(one for one in Board.join(store, "s").entries() if one.job == jobs[2])
        victim = first if f"-{first.pid}-" in running.worker else second
        victim.send_signal(signal.SIGKILL)
        lead.join(toys.WAIT_S)
    assert [one.state for one in found] == ["done"] * 3 + ["failed", "done"]
    assert [one.figures["y"].value for one in found[:3]] == [1, 4, 16]
    assert found[4] == found[0]
    assert "ValueError: no such thing" in found[3].reason
    assert sorted(toys.begun(log)) == [1, 2, 4, 4, 5]
    again = Board.join(store, "s")
    lost = [one for one in again.entries() if one.lost]
    assert [one.job for one in lost] == [jobs[2]] and "no sign of life" in lost[0].lost
    assert found[2].worker != lost[0].worker
    with Blackboard(storage, "s", works=False) as resumed:
        assert resumed.evaluate(jobs) == found[:4]
    assert len(toys.begun(log)) == 5  # nothing was computed again


def test_worker_stops_cleanly(tmp_path):
    """SIGTERM in mid-job: the job waits again, its process is gone, the record is stored; the exit code says why."""
    storage, log = f"journal:{tmp_path}/search.log", tmp_path / "log"
    board = new_board(tmp_path / "search.log")
    board.add(toys.toy(1, log), limit_s=None)
    board.add(toys.toy(2, log, sleep=30), limit_s=None)
    with toys.workers(storage, 1, tmp_path) as (worker,):
        toys.wait_until(lambda: 2 in toys.begun(log))
        worker.terminate()
        assert worker.wait(20) == 143
    pid = int(log.read_text().split()[-1])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    given_back, waiting = board.entries()[1:]
    assert given_back.released and given_back.outcome is None
    assert (waiting.state, waiting.job) == ("waiting", given_back.job)
    (record,) = board.workers()
    assert (record.done, record.failed, record.ended) == (1, 0, True)
    assert 0 < record.busy_s <= record.work_s <= record.alive_s
    text = (tmp_path / "worker_0.txt").read_text()
    assert "done   board_toys:Toy" in text and "1 done, 0 failed; busy" in text


def test_claims_of_many_processes(tmp_path):
    """Four processes claim forty trials at once: each trial goes to one of them."""
    board = new_board(tmp_path / "search.log")
    for x in range(40):
        board.add(toys.toy(x, tmp_path / "log"), limit_s=None)
    script = (
        "import sys; from codesign.search.blackboard import Board, Store\n"
        "board = Board.join(Store(sys.argv[1]), 's')\n"
        "entries = board.entries(); sys.stdin.readline()\n"
        "print(*[e.number for e in entries if board.claim(e, sys.argv[2])])"
    )
    command = [sys.executable, "-c", script, f"journal:{board.store.name.removeprefix('journal:')}"]
    processes = [
        subprocess.Popen(
            [*command, f"w{n}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=toys.environment(), text=True
        )
        for n in range(4)
    ]
    claimed = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for number, process in enumerate(processes):
        mine = [int(word) for word in process.communicate()[0].split()]
        assert all(entry(board, one).worker == f"w{number}" for one in mine)
        claimed += mine
    assert sorted(claimed) == list(range(40))


def in_process(tmp_path: Path, **settings) -> Blackboard:
    return Blackboard(f"journal:{tmp_path}/search.log", "s", folder=tmp_path / "jobs", poll_s=0.05, **settings)


def test_bad_jobs(tmp_path, monkeypatch):
    """What raises, is no number, says nothing, or ends its process is a failed job with the reason; what crashed once
    is tried again.
    """
    monkeypatch.setenv("PYTHONPATH", toys.environment()["PYTHONPATH"])
    log = tmp_path / "log"
    wrong = ["nan", "none", "exit", "die", "die once"]
    with in_process(tmp_path, losses=2) as board:
        jobs = [toys.toy(number, log, do=do) for number, do in enumerate(wrong)]
        found = board.evaluate(jobs)
        (record,) = board.workers()
    nan, none, left, died, once = found
    assert nan.state == "failed" and "must be finite, not nan" in nan.reason
    assert none.state == "failed" and "gave no figures" in none.reason
    assert left.state == "failed" and "exit code 3" in left.reason and "gone" in left.reason
    assert died.state == "failed" and "2 workers were lost with it" in died.reason and "SIGKILL" in died.reason
    assert once.done and once.figures["y"].value == 16
    assert not any(one.figures for one in found[:4])
    assert toys.begun(log) == [0, 1, 2, 3, 4, 3, 4]
    assert (record.done, record.failed) == (1, 3)


def test_hanging_job(tmp_path, monkeypatch):
    """A job over its time limit has failed, and its process and what it started are gone."""
    monkeypatch.setenv("PYTHONPATH", toys.environment()["PYTHONPATH"])
    with in_process(tmp_path, limit_s=4) as board:
        (found,) = board.evaluate([toys.toy(1, tmp_path / "log", do="hang")])
    assert (found.state, found.reason) == ("failed", "took more than 4 s and was stopped")
    group = (tmp_path / "log").read_text().split()[1]
    listed = subprocess.run(["ps", "-eo", "pgid,args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in listed.splitlines() if line.split()[0] == group and "<defunct>" not in line]


@pytest.mark.slow
def test_search_killed_and_resumed(tmp_path):
    """A search and its own workers, killed with SIGKILL in mid-job: run again, it ends at the same outcomes."""
    script = (
        "import sys, json, board_toys as toys\n"
        "from pathlib import Path\n"
        "from codesign.search.blackboard import Blackboard, local_workers\n"
        "here = Path(sys.argv[1]); storage = f'journal:{here}/search.log'\n"
        "jobs = [toys.toy(x, here / 'log', sleep=0.5) for x in range(8)]\n"
        "with Blackboard(storage, 's', folder=here / 'jobs', stale_s=2, poll_s=0.1) as board, \\\n"
        "        local_workers(storage, 's', count=1, folder=here / 'jobs', log=here):\n"
        "    rounds = [board.evaluate(jobs[:4]), board.evaluate(jobs)]\n"
        "print(json.dumps([{n: f.value for n, f in o.figures.items()} for r in rounds for o in r]))"
    )

    def search(folder: Path) -> subprocess.Popen[str]:
        folder.mkdir(exist_ok=True)
        command = [sys.executable, "-c", script, str(folder)]
        return subprocess.Popen(command, env=toys.environment(), stdout=subprocess.PIPE, text=True)

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    first = search(killed)
    toys.wait_until(lambda: len(toys.begun(killed / "log")) > 3)
    first.kill()
    first.communicate()
    wanted = search(whole).communicate(timeout=120)[0]
    store = Store(f"journal:{killed}/search.log")
    toys.wait_until(lambda: all(record.ended for record in Board.join(store, "s").workers() if record.pid != first.pid))
    assert search(killed).communicate(timeout=120)[0] == wanted
    assert json.loads(wanted) == [{"y": x * x} for x in [*range(4), *range(8)]]
    repeated = len(toys.begun(killed / "log")) - 8
    assert 0 <= repeated <= 2  # what was under way when the search and its worker were killed
    assert (killed / "worker_0.log").read_text().count("busy") == 2


# Without processes.


def test_trial_that_was_taken_away(tmp_path):
    """A worker that is thought dead cannot finish its trial; a job that lost three workers has failed."""
    board = new_board(tmp_path / "search.log", stale_s=0.01)
    job = toys.toy(1, tmp_path / "log")
    board.add(job, limit_s=5.0)
    for attempt in range(3):
        mine = entry(board, attempt)
        assert mine.limit_s == 5.0
        assert board.claim(mine, f"w{attempt}") and board.beat(mine, 1)
        watcher = Board.join(Store(board.store.name), "s")
        assert watcher.reap(watcher.entries()) == 0  # seen for the first time
        threading.Event().wait(0.05)
        assert watcher.reap(watcher.entries(), own=f"w{attempt}") == 0
        watcher.reap(watcher.entries())
        threading.Event().wait(0.05)
        assert watcher.reap(watcher.entries()) == 1
        assert not board.beat(mine, 2)
        assert not board.finish(mine, outcome(job))
    assert len(board.entries()) == 3
    with Blackboard(board.store.name, "s", works=False) as lead:
        (found,) = lead.evaluate([job])
    assert found.state == "failed" and not found.figures
    assert all(f"w{attempt}: gave no sign of life" in found.reason for attempt in range(3))


def test_beating_trial_stays(tmp_path):
    board = new_board(tmp_path / "search.log", stale_s=0.2)
    board.add(toys.toy(1, tmp_path / "log"), limit_s=None)
    mine = entry(board, 0)
    assert board.claim(mine, "w")
    watcher = Board.join(Store(board.store.name), "s")
    for count in range(1, 7):
        assert board.beat(mine, count)
        assert watcher.reap(watcher.entries()) == 0
        threading.Event().wait(0.1)
    assert board.finish(mine, outcome(mine.job))


def test_job_added_twice_is_done_once(tmp_path):
    """Two searches may add the same job at the same time: the later trial ends as a duplicate, which is no loss."""
    board = new_board(tmp_path / "search.log")
    job = toys.toy(1, tmp_path / "log")
    for _ in range(3):
        board.add(job, limit_s=None)
    assert not board.claim(entry(board, 1), "early")
    assert board.claim(entry(board, 0), "first")
    assert not board.claim(entry(board, 0), "second")
    assert board.finish(entry(board, 0), outcome(job, 7.0))
    assert not board.claim(entry(board, 2), "late")
    assert [one.duplicate for one in board.entries()] == [False, True, True]
    with Blackboard(board.store.name, "s", works=False) as lead:
        assert lead.evaluate([job, job]) == [outcome(job, 7.0)] * 2


def test_storage_goes_away(tmp_path):
    """A journal that is moved away for a moment is waited for; one that stays away, or is another file, is an error."""
    path = tmp_path / "search.log"
    board = new_board(path)
    board.store.patience_s = 5
    path.rename(tmp_path / "away")
    threading.Timer(0.3, lambda: (tmp_path / "away").rename(path)).start()
    assert board.entries() == []
    with Blackboard(f"journal:{path}", "s", works=False, patience_s=0.4, poll_s=0.05) as lead:
        threading.Timer(0.3, path.unlink).start()
        with pytest.raises(StorageError, match="could not be read in .* tries over 0.4 s: .*No such file"):
            lead.evaluate([toys.toy(1, tmp_path / "log")])
        assert not path.exists()  # no new one was begun in its place
        new_board(path)
        with pytest.raises(StorageError, match="replaced by another file"):
            lead.evaluate([toys.toy(1, tmp_path / "log")])
        path.unlink()
        lead.store.call = lambda what, question: None  # the way out asks once more
    board.store.patience_s = 0.1
    with pytest.raises(StorageError, match="No such file"):
        board.claim(Entry(0, 0, "waiting", toys.toy(1, tmp_path / "log"), None), "w")


def test_study_deleted(tmp_path):
    import optuna

    board = new_board(tmp_path / "search.log")
    optuna.delete_study(study_name="s", storage=board.store.backend)
    with pytest.raises(StorageError, match="no longer holds this search"):
        board.entries()


def test_study_of_another_version(tmp_path, monkeypatch):
    new_board(tmp_path / "search.log")
    monkeypatch.setattr("codesign.search.blackboard.board.__version__", "99.0")
    with pytest.raises(ConfigError, match="begun by codesign .* this is 99.0"):
        new_board(tmp_path / "search.log")
    with pytest.raises(ConfigError, match="begun by codesign"):
        Board.join(Store(f"journal:{tmp_path}/search.log"), None)


def test_which_search_a_worker_joins(tmp_path):
    store = Store(f"journal:{tmp_path}/search.log")
    assert Board.join(store, None) is None
    settings = {"stale_s": 60.0, "losses": 3, "shown": {}}
    Board.begin(store, "first", **settings)
    assert Board.join(store, None).name == "first"
    Board.begin(store, "second", **settings)
    with pytest.raises(ConfigError, match="several searches: choose one with --study: first, second"):
        Board.join(store, None)
    assert Board.join(store, "second").name == "second"
    assert Board.join(store, "not begun") is None
    with pytest.raises(ConfigError, match="holds no search 'secnd'. Did you mean \"second\""):
        Board.join(store, "secnd")


def test_values_for_dashboards(tmp_path):
    """What is shown becomes the trial's values; a done job without it is a pruned trial."""
    import optuna

    board = new_board(tmp_path / "search.log", shown={"y": "minimize", "z": "maximize"})
    both, one = toys.toy(1, tmp_path / "log"), toys.toy(2, tmp_path / "log")
    for job in (both, one):
        board.add(job, limit_s=None)
        assert board.claim(entry(board, len(board.entries()) - 1), "w")
    figures = {"y": Figure(3.0, "", "exact"), "z": Figure(4.0, "", "simulated")}
    assert board.finish(entry(board, 0), Outcome(both, "done", figures, "", "w", 1.0, ""))
    assert board.finish(entry(board, 1), outcome(one))
    study = optuna.load_study(study_name="s", storage=board.store.backend)
    assert study.metric_names == ["y", "z"]
    assert [trial.values for trial in study.trials] == [[3.0, 4.0], None]
    assert study.trials[0].user_attrs["z (simulated)"] == 4.0
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED"]
    assert entry(board, 1).outcome == outcome(one)


def test_tool_that_a_worker_lacks(tmp_path, monkeypatch):
    """What speaks of the machine ends the worker; the job waits for another one."""
    board = new_board(tmp_path / "search.log")
    board.add(toys.toy(1, tmp_path / "log"), limit_s=None)
    worker = Worker(board, folder=tmp_path / "jobs")

    def lacking(child, entry, started, folder):
        (folder / "outcome.json").write_text(json.dumps({"machine": "ToolNotFound", "message": "no yosys here"}))
        return Worker._read(worker, child, entry, started, folder)

    monkeypatch.setattr(worker, "_read", lacking)
    monkeypatch.setenv("PYTHONPATH", toys.environment()["PYTHONPATH"])
    with pytest.raises(ToolNotFound, match="no yosys here"):
        worker.run()
    assert [one.state for one in board.entries()] == ["ended", "waiting"]
    assert entry(board, 0).released


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "jobs").write_text("a file")
    board = new_board(tmp_path / "search.log")
    board.add(toys.toy(1, tmp_path / "log"), limit_s=None)
    with pytest.raises(RunError, match="cannot work in"):
        Worker(board, folder=tmp_path / "jobs").run()
    assert [one.state for one in board.entries()] == ["ended", "waiting"]


def test_waiting_for_the_last_job_counts(tmp_path):
    """A worker without a job is not busy while another one works, and says so as soon as that one has ended."""
    board = new_board(tmp_path / "search.log")
    worker = Worker(board, folder=tmp_path / "jobs", name="idle")
    assert worker.step() is None and board.workers() == []
    job = toys.toy(1, tmp_path / "log")
    board.add(job, limit_s=None)
    assert board.claim(entry(board, 0), "other")
    worker.rest()
    threading.Event().wait(0.2)
    assert worker.step() is None
    assert board.finish(entry(board, 0), outcome(job))
    threading.Event().wait(0.1)
    assert worker.step() is None
    (record,) = board.workers()
    assert 0.2 <= record.work_s < record.alive_s and record.busy_share == 0


def test_study_ends_its_workers(tmp_path):
    board = new_board(tmp_path / "search.log")
    board.mark_ended(True)
    record = Worker(board, folder=tmp_path / "jobs").run()
    assert record.ended and record.busy_share is None


def test_status(tmp_path):
    """`cods worker --status` counts trials and shows workers, and touches nothing."""
    from typer.testing import CliRunner

    from codesign.cli.app import app

    path = tmp_path / "search.log"
    storage = f"journal:{path}"
    Store(storage)
    assert "there is no search yet" in CliRunner().invoke(app, ["worker", storage, "--status"]).output
    board = new_board(path)
    jobs = [toys.toy(x, tmp_path / "log") for x in range(4)]
    for number, job in enumerate(jobs):
        board.add(job, limit_s=None)
        assert number == 0 or board.claim(entry(board, number), "w")
    assert board.finish(entry(board, 1), outcome(jobs[1]))
    assert board.lose(entry(board, 2), "gone")
    board.record(WorkerRecord("host-1", "host", 1, done=1, busy_s=9.0, work_s=10.0))
    before = path.read_bytes()
    told = CliRunner().invoke(app, ["worker", storage, "--status"]).output
    assert "2 jobs wait, 1 run, 1 are done, 0 failed; 1 attempts were lost" in " ".join(told.split())
    assert "host-1" in told and "90.0 %" in told
    assert path.read_bytes() == before


# The journal file.


def test_journal_of_a_killed_writer(tmp_path):
    """A half line that a killed writer left is never read, and is dropped before the next line."""
    path = tmp_path / "search.log"
    journal = JournalFile(path, create=True)
    journal.append_logs([{"a": 1}, {"b": "é" * 70_000}])
    with path.open("ab") as stream:
        stream.write(b'{"half": 1')
    assert [list(log) for log in journal.read_logs(0)] == [["a"], ["b"]]
    JournalFile(path, create=False).append_logs([{"c": 3}])
    assert list(journal.read_logs(2)) == [{"c": 3}]
    assert path.read_bytes().endswith(b'}\n{"c":3}\n')
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(OSError, match="shorter"):
        list(journal.read_logs(3))


def test_journal_of_optuna(tmp_path):
    """Optuna's own backend, which its dashboard uses, reads and writes the same file."""
    from optuna.storages.journal import JournalFileBackend

    path = tmp_path / "search.log"
    ours, theirs = JournalFile(path, create=True), JournalFileBackend(str(path))
    ours.append_logs([{"n": 1}])
    theirs.append_logs([{"n": 2}])
    ours.append_logs([{"n": 3}])
    assert list(ours.read_logs(0)) == list(theirs.read_logs(0)) == [{"n": 1}, {"n": 2}, {"n": 3}]


def test_journal_that_is_damaged(tmp_path):
    path = tmp_path / "search.log"
    new_board(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"rubbish\n" + b"".join(lines[2:]))
    with pytest.raises(StorageError, match="line 2 of the journal is damaged"):
        Store(f"journal:{path}", patience_s=0.1)


def test_journal_locked_by_a_stopped_process(tmp_path):
    import fcntl

    path = tmp_path / "search.log"
    journal = JournalFile(path, create=True, lock_s=0.1)
    with path.open("a") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="locked by another process"):
            journal.append_logs([{"n": 1}])
    journal.append_logs([{"n": 1}])


@pytest.mark.slow
def test_workers_killed_at_random(tmp_path):
    """Three workers, of which one is killed at a random moment and replaced, 15 times: every job is done, once."""
    import random

    storage, log = f"journal:{tmp_path}/search.log", tmp_path / "log"
    jobs = [toys.toy(x, log, sleep=0.1) for x in range(40)]
    board = Blackboard(storage, "s", works=False, stale_s=1.5, poll_s=0.1, losses=20)
    found: list[Outcome] = []
    rng = random.Random(1)
    with toys.workers(storage, 3, tmp_path) as alive, board:
        lead = threading.Thread(target=lambda: found.extend(board.evaluate(jobs)))
        lead.start()
        kills = 0
        while lead.is_alive() and kills < 15:
            lead.join(rng.uniform(0.5, 2.5))
            victim = rng.randrange(3)
            alive[victim].kill()
            alive[victim].wait()
            kills += 1
            alive[victim] = toys.start(
                "worker", storage, "--folder", str(tmp_path / "jobs"), cwd=tmp_path, out=tmp_path / "more.txt"
            )
        lead.join(4 * toys.WAIT_S)
    assert [one.figures["y"].value for one in found] == [x * x for x in range(40)]
    entries = Board.join(Store(storage), "s").entries()
    finished = [one for one in entries if one.outcome is not None]
    assert len(finished) == 40 and not any(one.live for one in entries)
    lost = [one for one in entries if one.lost]
    assert len(entries) == 40 + len(lost) + sum(one.duplicate for one in entries)
    assert len(toys.begun(log)) <= 40 + len(lost)
