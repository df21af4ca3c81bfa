"""Every picture the toolkit draws, by one name: ``from nengo_tactile.analysis import plots``.

Each plot returns a ``matplotlib.figure.Figure``; matplotlib is imported on first use.
"""

from nengo_tactile.analysis.plots_activity import (
    firing_rates,
    spike_raster,
    spikes_and_synops,
)
from nengo_tactile.analysis.plots_chip import CORE_LIMITS, core_map
from nengo_tactile.analysis.plots_diagnosis import layer_errors
from nengo_tactile.analysis.plots_events import (
    cumulative_frames,
    event_raster,
    skin_map,
    tactile_evolution,
)
from nengo_tactile.analysis.plots_results import (
    accuracy_over_time,
    beside_paper,
    confusion,
    error_over_time,
)
from nengo_tactile.analysis.style import png

__all__ = [
    "CORE_LIMITS",
    "accuracy_over_time",
    "beside_paper",
    "confusion",
    "core_map",
    "cumulative_frames",
    "error_over_time",
    "event_raster",
    "firing_rates",
    "layer_errors",
    "png",
    "skin_map",
    "spike_raster",
    "spikes_and_synops",
    "tactile_evolution",
]
