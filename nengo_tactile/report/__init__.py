"""The self-contained HTML report."""

from nengo_tactile.report.exploring import Explorer, Readings, Sample
from nengo_tactile.report.report import (
    KeyNumber,
    Note,
    Picture,
    Report,
    Section,
    Table,
    render_report,
    write_report,
)

__all__ = [
    "Explorer",
    "KeyNumber",
    "Note",
    "Picture",
    "Readings",
    "Report",
    "Sample",
    "Section",
    "Table",
    "render_report",
    "write_report",
]
