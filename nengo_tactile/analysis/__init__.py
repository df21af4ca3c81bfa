"""What the recordings mean: accuracy over time, activity, energy, and their pictures."""

from nengo_tactile.analysis.accuracy import (
    Percentile,
    SplitSummary,
    accuracy_interval,
    accuracy_text,
    class_accuracy,
    confusion_matrix,
    first_step_within,
    largest_confusions,
    latency_step,
    mean_and_sd,
    percentile,
)
from nengo_tactile.analysis.activity import Cost, LayerActivity, cost_until, layer_activity
from nengo_tactile.analysis.decision_times import (
    DecisionTimes,
    SinceFirstEvent,
    as_events_come,
    first_steps,
    since_first_event,
)
from nengo_tactile.analysis.early_exit import Exits, exit_margin, exits
from nengo_tactile.analysis.energy import (
    ANN_NOTE,
    DEVICES,
    ENERGY_NOTE,
    Device,
    EnergyEstimate,
    energies_of_ann,
    energy_of_recording,
    energy_per_inference,
    joules_text,
)
from nengo_tactile.analysis.measured import Measured
from nengo_tactile.analysis.neurobench import beside_quantised, neurobench, spike_rate

__all__ = [
    "ANN_NOTE",
    "DEVICES",
    "ENERGY_NOTE",
    "Cost",
    "DecisionTimes",
    "Device",
    "EnergyEstimate",
    "Exits",
    "LayerActivity",
    "Measured",
    "Percentile",
    "SinceFirstEvent",
    "SplitSummary",
    "accuracy_interval",
    "accuracy_text",
    "as_events_come",
    "beside_quantised",
    "class_accuracy",
    "confusion_matrix",
    "cost_until",
    "energies_of_ann",
    "energy_of_recording",
    "energy_per_inference",
    "exit_margin",
    "exits",
    "first_step_within",
    "first_steps",
    "joules_text",
    "largest_confusions",
    "latency_step",
    "layer_activity",
    "mean_and_sd",
    "neurobench",
    "percentile",
    "since_first_event",
    "spike_rate",
]
