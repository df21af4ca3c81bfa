"""Sigma-delta networks (Yousefzadeh et al. 2019): Table I, Figures 2 to 4, ours beside theirs.

The paper's thresholds are in the unit of its own network's activations. Ours are in a
unit in which a threshold of 1.0 takes about the paper's spikes (`nengo_tactile.ann.digits`).
"""

from nengo_tactile.experiments.papers import Paper
from nengo_tactile.papers.sigma_delta import numbers, runs, view
from nengo_tactile.papers.sigma_delta.plan import DeltaPlan
from nengo_tactile.report import Note

PAPER = Paper(
    name="sigma-delta",
    title="Sigma-delta networks",
    lead="The paper's network for MNIST, 16C5-2MP2-8C5-2MP2-256FC-10FC, whose neurons send "
    "changes of their quantised activation, run spike by spike.",
    about="Table I and Figures 2 to 4 of the sigma-delta paper; an interrupted run goes on.",
    source="Yousefzadeh et al., Conversion of Synchronous Artificial Neural Network to "
    "Asynchronous Spiking Neural Network using sigma-delta quantization, Table I, Figures 2 to 4",
    plan=DeltaPlan,
    cells=runs.cells,
    summarise=numbers.summarise,
    line=numbers.line,
    tables=lambda results: view.TABLES,
    figures=lambda results: view.FIGURES,
    sections=lambda results: (
        ("Table I", "", ("table1",)),
        ("Figure 2: one image", "", ("figure2-potentials", "figure2-spikes")),
        ("Figure 3: accuracy over time and spikes", "", ("figure3-time", "figure3-spikes")),
        ("Figure 4: accuracy over operations", "", ("figure4",)),
        ("Activity and cost by layer", "", ("layers",)),
    ),
    notes=lambda results: [Note(view.NOTE)],
    key_numbers=view.key_numbers,
)
