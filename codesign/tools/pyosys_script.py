"""Runs one yosys script inside pyosys; started as a process of its own, since yosys may end the process it is in."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path


def main(script: Path) -> None:
    """Run the script, a command a line; yosys itself exits with a status other than 0 on an error.

    yosys' own `script` command cannot take a path with blanks, so the lines are given to it one by one.
    """
    yosys = import_module("pyosys.libyosys")  # a compiled module without type stubs
    design = yosys.Design()
    for line in script.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yosys.run_pass(line.strip(), design)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
