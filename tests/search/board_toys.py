"""Cheap jobs, worker processes and a PostgreSQL server for the tests of the blackboard."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from codesign.accel.family import Figure
from codesign.search.jobs import Job, JobKind

FOLDER = Path(__file__).parent
WAIT_S = 60


class Toy(JobKind):
    """Squares x and notes in a file that it was done; `do` says what goes wrong instead."""

    def perform(self, spec: Mapping[str, Any], folder: Path) -> dict[str, Figure]:
        with Path(spec["log"]).open("a") as log:
            log.write(f"{spec['x']} {os.getpid()}\n")
        time.sleep(spec.get("sleep", 0))
        match spec.get("do"):
            case "raise":
                raise ValueError("no such thing")
            case "nan":
                return {"y": Figure(float("nan"), "units", "exact")}
            case "none":
                return {}
            case "hang":
                subprocess.run(["sleep", "1000"], check=True)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "die once" if not (folder / "died").exists():
                (folder / "died").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                print("gone", flush=True)
                os._exit(3)
        return {"y": Figure(spec["x"] ** 2, "units", "exact")}


def toy(x: int, log: Path, **spec: Any) -> Job:
    return Job("board_toys:Toy", {"x": x, "log": str(log), **spec})


def begun(log: Path) -> list[int]:
    """The x of every attempt that began, in order."""
    return [int(line.split()[0]) for line in log.read_text().splitlines()] if log.exists() else []


def wait_until(what: Callable[[], Any], *, seconds: float = WAIT_S) -> Any:
    """Return what `what` gives once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError(f"did not happen within {seconds} s")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(FOLDER), os.environ.get("PYTHONPATH", "")])}


def start(*words: str, cwd: Path, out: Path | None = None) -> subprocess.Popen[bytes]:
    """Start `cods` with `words`; what it prints goes to `out`."""
    with (out or Path(os.devnull)).open("ab") as stream:
        command = [sys.executable, "-m", "codesign", *words]
        return subprocess.Popen(command, cwd=cwd, env=environment(), stdout=stream, stderr=subprocess.STDOUT)


@contextlib.contextmanager
def workers(storage: str, count: int, folder: Path, *more: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run workers of a storage; what each prints is in worker_N.txt of `folder`."""
    words = ("worker", storage, "--folder", str(folder / "jobs"), *more)
    found = [start(*words, cwd=folder, out=folder / f"worker_{number}.txt") for number in range(count)]
    try:
        yield found
    finally:
        for one in found:
            one.kill()
            one.wait()


class Postgres:
    """A server of its own in a temporary folder, on a loopback port, run by an unprivileged user."""

    def __init__(self) -> None:
        versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        programs = versions[-1].parent if versions else None
        if programs is None and (found := shutil.which("initdb")):
            programs = Path(found).parent
        if programs is None:
            pytest.skip("PostgreSQL is absent: no initdb under /usr/lib/postgresql or on PATH (apt install postgresql)")
        self.programs = programs
        self.user: list[str] = []
        if os.geteuid() == 0:
            if shutil.which("runuser") is None or subprocess.run(["id", "postgres"], capture_output=True).returncode:
                pytest.skip("PostgreSQL may not run as root, and there is no user postgres to run it as")
            self.user = ["runuser", "-u", "postgres", "--"]
        self.folder = Path(tempfile.mkdtemp(prefix="codesign_pg_"))
        if self.user:
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-D", "data", "-A", "trust", "-U", "codesign", "--no-sync", "-E", "UTF8", "--locale=C")
        self.start()
        self._run("createdb", "-h", str(self.folder), "-U", "codesign", "search")

    @property
    def url(self) -> str:
        return f"postgresql://codesign@/search?host={self.folder}"

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off -c shared_buffers=16MB"
        self._run("pg_ctl", "-D", "data", "-o", options, "-l", "log", "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self.folder)

    def _run(self, program: str, *words: str) -> None:
        command = [*self.user, str(self.programs / program), *words]
        subprocess.run(command, cwd=self.folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
