"""Storages of the blackboard: what a string means, SQLite's refusal, PostgreSQL and the gRPC proxy with workers."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import board_toys as toys
import pytest

from codesign.errors import ConfigError, StorageError
from codesign.search.blackboard import Blackboard, Board, Store, check_shared, local_workers
from codesign.search.blackboard.proxy import serve
from codesign.search.blackboard.storage import shown_name
from codesign.search.jobs import Outcome


@pytest.fixture(scope="module")
def postgres() -> Iterator[toys.Postgres]:
    server = toys.Postgres()
    try:
        yield server
    finally:
        server.close()


def port() -> int:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("name", ["", "search.db", "redis://x", "grpc://host", "journal:", "sqlite://", "journal"])
def test_names_that_mean_nothing(name):
    with pytest.raises(ConfigError, match="journal:"):
        Store(name)


def test_names_that_mean_a_journal(tmp_path):
    for name in (f"journal:{tmp_path}/deep/a", f"{tmp_path}/b.log", f"{tmp_path}/c.journal"):
        assert Board.join(Store(name), None) is None
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"a", "b.log", "c.journal"}
    with pytest.raises(StorageError, match="No such file"):
        Store(f"{tmp_path}/absent.log", create=False, patience_s=0)


def test_password_is_not_shown():
    name = "postgresql://me:secret@localhost:1/db"
    assert shown_name(name) == "postgresql://me:***@localhost:1/db"
    with pytest.raises(StorageError) as told:
        Store(name, patience_s=0)
    assert "me:***@" in str(told.value) and "secret" not in str(told.value)


def test_proxy_that_is_not_there():
    with pytest.raises(StorageError, match="could not be opened"):
        Store(f"grpc://localhost:{port()}", patience_s=0)


def test_sqlite_is_for_one_process(tmp_path, monkeypatch):
    """One process alone may use SQLite; a worker, a lead that only waits, and a second process are refused."""
    name = f"sqlite:///{tmp_path}/search.db"
    for refused in (
        lambda: check_shared(name),
        lambda: Blackboard(name, "s", works=False),
        lambda: local_workers(name, "s", count=1).__enter__(),
        lambda: serve(name, host="localhost", port=1),
    ):
        with pytest.raises(ConfigError, match="cannot serve more than one worker: SQLite locks the whole file"):
            refused()
    with Blackboard(name, "s", folder=tmp_path / "jobs"):
        with pytest.raises(ConfigError, match="more than one worker"):
            Blackboard(name, "s", folder=tmp_path / "jobs")
        told = tmp_path / "told.txt"
        assert toys.start("worker", name, cwd=tmp_path, out=told).wait(toys.WAIT_S) == 1
        assert "SQLite locks the whole file" in told.read_text()
    monkeypatch.setenv("PYTHONPATH", toys.environment()["PYTHONPATH"])
    with Blackboard(name, "s", folder=tmp_path / "jobs") as again:
        assert again.evaluate([toys.toy(3, tmp_path / "log")])[0].figures["y"].value == 9


def evaluate(storage: str, tmp_path: Path, *, study: str = "s", **settings) -> tuple[list[Outcome], Blackboard]:
    """Three short jobs and a long one, by two workers, of which the one with the long job is killed in the middle."""
    log = tmp_path / "log"
    jobs = [toys.toy(0, log), toys.toy(1, log), toys.toy(4, log, sleep=1.5), toys.toy(5, log, do="raise")]
    board = Blackboard(storage, study, works=False, stale_s=2, poll_s=0.1, **settings)
    found: list[Outcome] = []
    with toys.workers(storage, 2, tmp_path, "--study", study) as (first, second), board:
        lead = threading.Thread(target=lambda: found.extend(board.evaluate(jobs)))
        lead.start()
        toys.wait_until(lambda: 4 in toys.begun(log))
        store = Store(storage)
        running = next(one for one in Board.join(store, study).entries() if one.job == jobs[2])
        (first if f"-{first.pid}-" in running.worker else second).send_signal(signal.SIGKILL)
        store.close()
        lead.join(toys.WAIT_S)
    assert [one.state for one in found] == ["done"] * 3 + ["failed"]
    assert [one.figures["y"].value for one in found[:3]] == [0, 1, 16]
    assert sorted(toys.begun(log)) == [0, 1, 4, 4, 5]
    with Blackboard(storage, study, works=False) as resumed:
        assert resumed.evaluate(jobs) == found
    return found, board


def test_postgres_two_workers_one_killed(postgres, tmp_path):
    evaluate(postgres.url, tmp_path)


def test_proxy(tmp_path):
    """A worker behind the gRPC proxy of a journal, beside the lead on the file itself."""
    here = f"localhost:{port()}"
    storage, log = f"journal:{tmp_path}/search.log", tmp_path / "log"
    lead = Blackboard(storage, "s", works=False, poll_s=0.1)
    served = toys.start("proxy", storage, "--port", here.split(":")[1], cwd=tmp_path, out=tmp_path / "proxy.txt")
    try:
        with toys.workers(f"grpc://{here}", 1, tmp_path), lead:
            found = lead.evaluate([toys.toy(x, log) for x in range(3)])
            assert [one.figures["y"].value for one in found] == [0, 1, 4]
        assert sorted(toys.begun(log)) == [0, 1, 2]
        store = Store(f"grpc://{here}", patience_s=0.5)
        assert len(Board.join(store, "s").entries()) == 3
        served.send_signal(signal.SIGSTOP)
        with pytest.raises(StorageError, match="no answer within 1 s"):
            Board.join(store, "s")
        served.send_signal(signal.SIGCONT)
        served.terminate()
        assert served.wait(20) == 143
        with pytest.raises(StorageError, match="could not be read"):
            Board.join(store, "s")
    finally:
        served.kill()
        served.wait()


@pytest.mark.slow
def test_proxy_of_postgres_one_worker_killed(postgres, tmp_path):
    here = port()
    served = toys.start("proxy", postgres.url, "--port", str(here), cwd=tmp_path)
    try:
        toys.wait_until(lambda: _answers(here))
        evaluate(f"grpc://localhost:{here}", tmp_path, study="proxied")
    finally:
        served.kill()
        served.wait()


def _answers(number: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("localhost", number)) == 0


@pytest.mark.slow
def test_postgres_goes_away(postgres, tmp_path):
    """A database that is started anew meanwhile is waited for; one that stays away is an error, and nothing is lost."""
    log = tmp_path / "log"
    jobs = [toys.toy(x, log, sleep=0.3) for x in range(6)]
    board = Blackboard(postgres.url, "away", works=False, stale_s=5, poll_s=0.1, patience_s=4)
    found: list[Outcome] = []
    problems: list[Exception] = []

    def lead() -> None:
        try:
            found.extend(board.evaluate(jobs))
        except StorageError as problem:
            problems.append(problem)

    with toys.workers(postgres.url, 2, tmp_path, "--study", "away"):
        one = threading.Thread(target=lead)
        one.start()
        toys.wait_until(lambda: len(toys.begun(log)) > 2)
        postgres.stop()
        postgres.start()
        one.join(toys.WAIT_S)
        assert [outcome.figures["y"].value for outcome in found] == [0, 1, 4, 9, 16, 25]
        jobs.append(toys.toy(9, log, sleep=30))
        two = threading.Thread(target=lead)
        two.start()
        toys.wait_until(lambda: 9 in toys.begun(log))
        postgres.stop()
        two.join(toys.WAIT_S)
        assert "What was stored is kept" in str(problems[0]) and len(found) == 6
    postgres.start()
    with Blackboard(postgres.url, "away", works=False) as again:
        assert again.evaluate(jobs[:6]) == found
