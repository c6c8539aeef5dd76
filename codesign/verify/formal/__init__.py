"""Formal proofs of a finished run, with yosys and ABC."""

from codesign.verify.formal.result import Proof, Tally, formal_table, require_proven
from codesign.verify.formal.run import DEFAULT_SECONDS, prove_run

__all__ = ["DEFAULT_SECONDS", "Proof", "Tally", "formal_table", "prove_run", "require_proven"]
