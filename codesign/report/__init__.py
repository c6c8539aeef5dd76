"""Reports: figures as values, one HTML page a run, comparisons of runs."""

from codesign.report.compare import compare_runs, summary_tables
from codesign.report.engine_figures import layers_table
from codesign.report.engine_rows import program_rows
from codesign.report.figures import RunFacts, figures, score, score_classes
from codesign.report.layers import layer_rows
from codesign.report.page import write_report
from codesign.report.pipeline import pipeline_rows

__all__ = [
    "RunFacts",
    "compare_runs",
    "figures",
    "layer_rows",
    "layers_table",
    "pipeline_rows",
    "program_rows",
    "score",
    "score_classes",
    "summary_tables",
    "write_report",
]
