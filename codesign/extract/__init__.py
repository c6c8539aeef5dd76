"""From a trained model to a network of tables or of integers, and the proof that both are the same function."""

from codesign.extract.check import check_samples, check_tables
from codesign.extract.integer import extract_integer
from codesign.extract.integer_check import BrevitasAgreement, check_brevitas, check_integer_samples, check_requantize
from codesign.extract.lower import extract

__all__ = [
    "BrevitasAgreement",
    "check_brevitas",
    "check_integer_samples",
    "check_requantize",
    "check_samples",
    "check_tables",
    "extract",
    "extract_integer",
]
