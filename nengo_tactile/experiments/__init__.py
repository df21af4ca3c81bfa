"""Studies of many runs: settings, resumable cells, workers, tables, figures, a report.

``plan -> cells (resumable, on workers) -> results -> tables, figures -> terminal, report.html``
"""
