"""What all reports share: templates, how numbers are written, plots as HTML, the plotting library."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from codesign.errors import ToolNotFound

__all__ = ["embed", "environment", "plotly_script"]


def environment() -> Environment:
    """The templates of reports, with their filters; a name that is missing is an error."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["number"] = _number
    made.filters["blocks"] = lambda value: "not computed" if value is None else f"{value:,.10g}"
    made.filters["percent"] = _percent
    return made


def _percent(value: float | None, digits: int = 2) -> str:
    return "not computed" if value is None else f"{100 * value:.{digits}f} %"


def _number(value: Any, unit: str = "", digits: int = 2) -> str:
    if value is None:
        return "not computed"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return f"{value:,}{unit}" if isinstance(value, int) else f"{value:,.{digits}f}{unit}"


def embed(**figures_by_name: Any) -> dict[str, str]:
    """Turn plotly figures into HTML without the library, which the page carries once."""
    return {
        name: plot.to_html(
            full_html=False, include_plotlyjs=False, config={"displayModeBar": False, "responsive": True}
        )
        for name, plot in figures_by_name.items()
        if plot is not None
    }


def plotly_script() -> str:
    """The plotting library, which a page carries once; a ToolNotFound where it is not installed."""
    try:
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError:
        raise ToolNotFound('reports need plotly: `pip install "codesign[report]"`') from None
    return get_plotlyjs()
