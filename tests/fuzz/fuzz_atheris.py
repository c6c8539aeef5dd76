"""One reader under atheris: `python tests/fuzz/fuzz_atheris.py TARGET SECONDS [SEED]`, guided by the code it reaches.

Needs `pip install atheris` (wheels for CPython 3.11 and newer). Inputs are those of `make fuzz`, mutated by its own
mutators or by libFuzzer's; what reaches new code is kept and mutated further. An input that fails is kept in
fuzz-TARGET-crash-*; the exit code is then not 0.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

import atheris  # noqa: E402

with atheris.instrument_imports(include=["codesign"]):
    import codesign.config
    import codesign.data
    import codesign.ir
    import codesign.synth
    import codesign.tools.abc
    import codesign.tools.vivado  # noqa: F401

import numpy as np  # noqa: E402
from fuzz_guard import defect  # noqa: E402
from fuzz_parsers import PARSERS  # noqa: E402


def main() -> None:
    """Run until the time is over; libFuzzer ends the process itself."""
    target, seconds = PARSERS[sys.argv[1]], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    work = tempfile.TemporaryDirectory(prefix="atheris-")
    corpus, folder = Path(work.name) / "corpus", Path(work.name) / "file"
    corpus.mkdir()
    folder.mkdir()
    for number, content in enumerate(target.seeds()):
        (corpus / str(number)).write_bytes(content)
        target.read_once(content, folder)  # what every input needs is imported now

    def one(content: bytes) -> None:
        wrong = target.read_once(content, folder)
        if wrong:
            raise AssertionError(wrong)

    def mutate(content: bytes, most: int, state: int) -> bytes:
        rng = np.random.default_rng(state)
        if rng.random() < 0.5:
            return atheris.Mutate(content, most)
        found: list[bytes] = []
        wrong, _ = defect(lambda: found.append(target.mutate(content, rng)))
        return found[0][:most] if found and not wrong else atheris.Mutate(content, most)

    arguments = [sys.argv[0], str(corpus), f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=65536"]
    arguments += ["-timeout=30", "-rss_limit_mb=4096", f"-artifact_prefix=fuzz-{target.name}-", "-print_final_stats=1"]
    atheris.Setup(arguments, one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
