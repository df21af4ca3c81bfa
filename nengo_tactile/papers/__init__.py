"""Reproductions of papers as declarations: see `nengo_tactile.experiments`."""

import importlib

#: Commands of ``nengo-tactile reproduce`` -> modules whose ``PAPER`` they run.
PAPERS = {
    "st-mnist": "st_mnist",
    "spiking-resnet": "spiking_resnet",
    "few-steps": "few_steps",
    "sigma-delta": "sigma_delta",
    "skim": "skim",
    "spikemax": "spikemax",
}


def paper_named(name):
    """The `nengo_tactile.experiments.papers.Paper` of that name."""
    return importlib.import_module(f"nengo_tactile.papers.{PAPERS[name]}").PAPER
