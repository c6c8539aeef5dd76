"""Runs one yosys script inside pyosys; started as a process of its own, since yosys may end the process it is in."""

from __future__ import annotations

import sys
from importlib import import_module


def main(script: str) -> None:
    """Run the script file; yosys itself exits with a status other than 0 on an error."""
    yosys = import_module("pyosys.libyosys")  # a compiled module without type stubs
    yosys.run_pass(f"script {_quoted(script)}", yosys.Design())


def _quoted(path: str) -> str:
    if '"' in path or "\n" in path:
        raise SystemExit(f"yosys cannot read a script whose path holds a quote or line break: {path!r}")
    return f'"{path}"'


if __name__ == "__main__":
    main(sys.argv[1])
