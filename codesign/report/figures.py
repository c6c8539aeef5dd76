"""The figures of a run as plain values: what the report prints and what `cods report --json` gives to scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.ir import Codes, LutNetwork
from codesign.rundir import read_json

__all__ = ["figures", "score"]


def score(network: LutNetwork, answers: Codes, wanted: NDArray[Any], *, class_count: int) -> dict[str, Any]:
    """Score answer codes (samples, outputs) against labels (samples,) or targets (samples, outputs).

    Classification: accuracy and the confusion matrix (rows true, columns answered). Regression: mean squared
    error, in the targets' own units, and normalised mean square error in dB.
    """
    decide = network.decide
    if class_count:
        guesses = answers[:, 0].astype(np.int64)
        confusion = np.zeros((class_count, class_count), dtype=np.int64)
        np.add.at(confusion, (wanted.astype(np.int64), guesses), 1)
        return {"rows": len(wanted), "accuracy": float((guesses == wanted).mean()), "confusion": confusion.tolist()}
    scale, offset = (decide.scale, decide.offset) if decide is not None else (1.0, 0.0)
    columns = [fmt.values(answers[:, i]) for i, fmt in enumerate(network.outputs)]
    values = offset + scale * np.stack(columns, axis=1).astype(np.float64)
    error = float(np.mean((values - wanted) ** 2))
    power = float(np.mean(np.square(wanted, dtype=np.float64)))
    nmse = 10.0 * float(np.log10(max(error, 1e-300) / max(power, 1e-300)))
    return {"rows": len(wanted), "mse": error, "nmse_db": nmse}
