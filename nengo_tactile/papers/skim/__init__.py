"""SKIM on N-MNIST (Cohen et al. 2016): Figures 4 to 7 and Tables 1 to 4."""

from nengo_tactile.experiments.papers import Paper
from nengo_tactile.papers.skim import numbers, published, runs, view
from nengo_tactile.papers.skim.plan import SkimPlan

PAPER = Paper(
    name="skim",
    title="SKIM on N-MNIST",
    lead="Random synaptic kernels between events and a layer of hidden neurons, output weights in "
    "closed form: how accuracy grows with hidden neurons and training samples, and what to teach "
    "and how to read.",
    about="Figures 4 to 7 and Tables 1 to 4 of the SKIM paper; an interrupted run goes on.",
    source=published.TITLE,
    plan=SkimPlan,
    cells=runs.cells,
    summarise=numbers.summarise,
    line=numbers.line,
    tables=lambda results: view.TABLES,
    figures=lambda results: view.FIGURES,
    sections=view.sections,
    notes=view.notes,
    key_numbers=view.key_numbers,
    data=lambda results: results["data"],
)
