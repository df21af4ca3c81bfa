"""Spikemax (Shrestha et al. 2022): Table I and Figures 2 to 7, on the paper's data and others."""

from nengo_tactile.experiments.papers import Paper
from nengo_tactile.papers.spikemax import numbers, published, runs, view
from nengo_tactile.papers.spikemax.plan import SpikemaxPlan

PAPER = Paper(
    name="spikemax",
    title="Spikemax",
    lead="Networks of spiking neurons, trained with their spikes by SLAYER's back-propagation: "
    "losses that take output spikes as probabilities beside those that ask for spike rates or "
    "counts. How accurate the networks are, how soon, and how many spikes it takes.",
    about="Table I and Figures 2 to 7 of the Spikemax paper; an interrupted run goes on.",
    source=published.TITLE,
    plan=SpikemaxPlan,
    cells=runs.cells,
    summarise=numbers.summarise,
    line=numbers.line,
    tables=view.tables,
    figures=view.figures,
    sections=view.sections,
    notes=view.notes,
    key_numbers=view.key_numbers,
    data=lambda results: ", ".join(view.TITLES[data] for data in view.by_data(results)),
)
