"""Fixtures of tests of studies."""

import sys

import pytest

from tests.support.scripts import ROOT


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Processes of their own find the cells' functions; what is installed comes first there too."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(ROOT)])
