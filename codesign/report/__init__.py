"""Reports: figures as values, one HTML page a run, comparisons of runs."""

from codesign.report.compare import compare_runs, summary_table
from codesign.report.figures import RunFacts, figures, score
from codesign.report.layers import layer_rows
from codesign.report.page import write_report
from codesign.report.pipeline import pipeline_rows

__all__ = [
    "RunFacts",
    "compare_runs",
    "figures",
    "layer_rows",
    "pipeline_rows",
    "score",
    "summary_table",
    "write_report",
]
