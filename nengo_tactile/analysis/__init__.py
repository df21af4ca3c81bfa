"""What the recordings mean: accuracy over time, activity, energy, and their pictures."""

from nengo_tactile.analysis.accuracy import (
    SplitSummary,
    accuracy_interval,
    accuracy_text,
    class_accuracy,
    confusion_matrix,
    first_step_within,
    largest_confusions,
    latency_step,
    mean_and_sd,
)
from nengo_tactile.analysis.activity import Cost, LayerActivity, cost_until, layer_activity
from nengo_tactile.analysis.energy import (
    DEVICES,
    ENERGY_NOTE,
    Device,
    EnergyEstimate,
    energy_of_recording,
    energy_per_inference,
)

__all__ = [
    "DEVICES",
    "ENERGY_NOTE",
    "Cost",
    "Device",
    "EnergyEstimate",
    "LayerActivity",
    "SplitSummary",
    "accuracy_interval",
    "accuracy_text",
    "class_accuracy",
    "confusion_matrix",
    "cost_until",
    "energy_of_recording",
    "energy_per_inference",
    "first_step_within",
    "largest_confusions",
    "latency_step",
    "layer_activity",
    "mean_and_sd",
]
