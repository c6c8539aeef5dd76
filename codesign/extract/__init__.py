"""Exact extraction: trained neurons to truth tables, and the proof that they are equal."""

from codesign.extract.check import check_samples, check_tables
from codesign.extract.lower import extract

__all__ = ["check_samples", "check_tables", "extract"]
