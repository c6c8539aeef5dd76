"""Running a program within limits: what it leaves, how it may end, and that nothing of it lives on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codesign.errors import ToolFailed, ToolNotFound
from codesign.tools import process, run


def python(text: str) -> list[str | Path]:
    return [sys.executable, "-S", "-c", text]


def alive(pid: int) -> bool:
    """True while a process runs; a dead one whose parent has not asked for it yet counts as dead."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(pid: int) -> bool:
    for _ in range(100):
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")


def test_a_program_that_ends_well(tmp_path):
    text = "import os, sys; print(os.getcwd()); print('to stderr', file=sys.stderr)"
    done = run(python(text), tmp_path / "new folder", log="x.log", timeout_s=60)
    assert set(done.output.splitlines()) == {str(tmp_path / "new folder"), "to stderr"}
    assert done.log == tmp_path / "new folder" / "x.log"
    assert 0 < done.wall_s < 60 and 1 << 20 < done.peak_bytes < 1 << 30
    assert done.command.startswith(sys.executable) and "'import os" in done.command


def test_environment_is_set_and_unset(tmp_path, monkeypatch):
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("DROPPED", "2")
    text = "import os; print([os.environ.get(k) for k in ('KEPT', 'DROPPED', 'ADDED')])"
    done = run(python(text), tmp_path, log="x.log", timeout_s=60, environment={"DROPPED": None, "ADDED": "3"})
    assert done.output == "['1', None, '3']\n"
    assert os.environ["DROPPED"] == "2"


def test_standard_input(tmp_path):
    text = "import sys; print(len(sys.stdin.buffer.read()))"
    assert run(python(text), tmp_path, log="x.log", timeout_s=60, stdin=b"x" * 300_000).output == "300000\n"
    assert run(python(text), tmp_path, log="x.log", timeout_s=60).output == "0\n"
    # a program that does not read what it is given may still end well
    assert run(python("print('deaf')"), tmp_path, log="x.log", timeout_s=60, stdin=b"x" * 300_000).output == "deaf\n"


def test_the_time_limit_holds_while_input_is_given(tmp_path):
    started = time.monotonic()
    with pytest.raises(ToolFailed, match=r"did not end within 0\.5 s"):
        run(python("import time; time.sleep(60)"), tmp_path, log="x.log", timeout_s=0.5, stdin=b"x" * 300_000)
    assert time.monotonic() - started < 10


def test_an_exit_code_with_the_end_of_the_log(tmp_path):
    text = "import sys; [print('line', i) for i in range(99)]; sys.stdout.flush(); sys.exit(7)"
    with pytest.raises(
        ToolFailed, match=r"(?s)failed with exit code 7 after \d+\.\d s; log: .*x\.log.*line 98"
    ) as caught:
        run(python(text), tmp_path, log="x.log", timeout_s=60)
    problem = caught.value
    assert (problem.status, problem.log) == (7, tmp_path / "x.log")
    assert problem.tail.splitlines() == [f"line {i}" for i in range(79, 99)]
    assert (tmp_path / "x.log").read_text().startswith("line 0\n"), "the whole log stays"


def test_bytes_that_are_no_text(tmp_path):
    text = "import sys; sys.stdout.buffer.write(b'\\xff\\xfe end'); sys.exit(1)"
    with pytest.raises(ToolFailed) as caught:
        run(python(text), tmp_path, log="x.log", timeout_s=60)
    assert caught.value.tail.endswith(" end")


def test_a_signal_is_named(tmp_path):
    with pytest.raises(ToolFailed, match="was ended by SIGABRT") as caught:
        run(python("import os; os.abort()"), tmp_path, log="x.log", timeout_s=60)
    assert caught.value.status == -6
    assert not list(tmp_path.glob("core*"))


@needs_proc
def test_the_time_limit_ends_the_whole_group(tmp_path):
    text = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with pytest.raises(ToolFailed, match=r"did not end within 1 s and was killed") as caught:
        run(python(text), tmp_path, log="x.log", timeout_s=1)
    assert caught.value.status == "timeout"
    assert gone(int((tmp_path / "x.log").read_text()))


@needs_proc
def test_what_a_program_leaves_running_ends_with_it(tmp_path):
    text = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid)"
    )
    assert gone(int(run(python(text), tmp_path, log="x.log", timeout_s=60).output))


@needs_proc
def test_an_interrupt_ends_the_program(tmp_path, monkeypatch):
    def interrupted(child, deadline, log):
        while not log.stat().st_size:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(
            python("import os, time; print(os.getpid(), flush=True); time.sleep(60)"),
            tmp_path,
            log="x.log",
            timeout_s=60,
        )
    assert gone(int((tmp_path / "x.log").read_text()))


def test_the_log_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "_LOG_LIMIT", 1 << 20)
    with pytest.raises(ToolFailed, match="wrote more than 1 MiB of log and was killed") as caught:
        run(python("while True: print('x' * 999)"), tmp_path, log="x.log", timeout_s=60)
    assert caught.value.status == "log limit"
    assert len(caught.value.tail) < 20_000


def test_the_memory_limit(tmp_path):
    text = "x = bytearray(600 << 20); print(len(x))"
    assert run(python(text), tmp_path, log="x.log", timeout_s=60, memory_gb=2).output == f"{600 << 20}\n"
    with pytest.raises(ToolFailed, match=r"(?s)exit code 1.*MemoryError"):
        run(python(text), tmp_path, log="x.log", timeout_s=60, memory_gb=0.3)


def test_programs_that_cannot_be_started(tmp_path):
    with pytest.raises(ToolNotFound, match="program '/nowhere/tool' does not exist; run `cods doctor`"):
        run(["/nowhere/tool"], tmp_path, log="x.log", timeout_s=1)
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    with pytest.raises(ToolNotFound, match="may not be executed"):
        run([plain], tmp_path, log="x.log", timeout_s=1)
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"\x7fELF of another machine")
    foreign.chmod(0o755)
    with pytest.raises(ToolNotFound, match="foreign' cannot be started"):
        run([foreign], tmp_path, log="x.log", timeout_s=1)


def test_long_commands_are_cut_in_messages_only(tmp_path):
    with pytest.raises(ToolFailed) as caught:
        run(python("import sys; sys.exit(1) #" + "x" * 999), tmp_path, log="x.log", timeout_s=60)
    assert len(str(caught.value).splitlines()[0]) < 500
    assert "x" * 999 in caught.value.command


@needs_proc
def test_a_program_dies_with_us_even_where_we_are_killed(tmp_path):
    inner = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    ours = f"""
import sys
from pathlib import Path
from codesign.tools import run
run([sys.executable, "-S", "-c", {inner!r}], Path({str(tmp_path)!r}), log="x.log", timeout_s=600)
"""
    child = subprocess.Popen([sys.executable, "-c", ours])
    log = tmp_path / "x.log"
    deadline = time.monotonic() + 60
    while not (log.exists() and log.read_text().strip()):
        assert time.monotonic() < deadline and child.poll() is None
        time.sleep(0.05)
    child.kill()
    child.wait()
    assert gone(int(log.read_text()))
