"""Few steps: what networks lose and send at 1 to 64 time steps, by the kind of their spikes."""

from nengo_tactile.experiments.papers import Paper
from nengo_tactile.papers.few_steps import numbers, runs, view
from nengo_tactile.papers.few_steps.plan import FewStepsPlan
from nengo_tactile.report import Note

PAPER = Paper(
    name="few-steps",
    title="Few time steps",
    lead="Trained networks as integrate-and-fire networks, converted for each number of time steps "
    "anew, without retraining but for those that say so. Run by the event engine.",
    about="Accuracy, spikes and synaptic operations at 1 to 64 time steps, for neurons that take "
    "spikes back or send several; an interrupted run goes on.",
    source="our own study of few time steps",
    plan=FewStepsPlan,
    cells=runs.cells,
    summarise=numbers.summarise,
    line=numbers.line,
    tables=view.tables,
    figures=view.figures,
    sections=view.sections,
    notes=lambda results: [Note(view.NOTE)],
)
