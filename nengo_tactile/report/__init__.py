"""The self-contained HTML report."""

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
    "KeyNumber",
    "Note",
    "Picture",
    "Report",
    "Section",
    "Table",
    "render_report",
    "write_report",
]
