"""Spiking ResNet (Hu et al.): Tables 1 to 3, Figures 3 and 4, and fewer steps."""

from nengo_tactile.experiments.papers import Paper
from nengo_tactile.papers.spiking_resnet import numbers, runs, view
from nengo_tactile.papers.spiking_resnet.plan import ResnetPlan
from nengo_tactile.report import Note

PAPER = Paper(
    name="spiking-resnet",
    title="Spiking ResNet",
    lead="Residual networks with batch normalisation, converted to integrate-and-fire neurons "
    "that fire at most once a time step. Run by the event engine, which fires NengoDL's spikes.",
    about="Tables 1 to 3 and Figures 3 and 4 of the Spiking ResNet paper; an interrupted run goes "
    "on.",
    source="Hu et al., Spiking Deep Residual Network, Tables 1 to 3, Figures 3 and 4",
    plan=ResnetPlan,
    cells=runs.cells,
    summarise=numbers.summarise,
    line=numbers.line,
    tables=lambda results: view.TABLES,
    figures=view.figures,
    sections=view.sections,
    notes=lambda results: [Note(view.NOTE)],
    key_numbers=view.key_numbers,
)
