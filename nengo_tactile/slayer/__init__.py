"""Networks of spiking neurons, trained on spikes by back-propagation (SLAYER), with spike losses.

Shrestha and Orchard 2018, "SLAYER: Spike layer error reassignment in time"; Shrestha et al. 2022,
"Spikemax: Spike-based loss methods for classification". Modules load on first use, so that
importing the room is quick.
"""

from nengo_tactile.lazy import attributes

__all__, __getattr__, __dir__ = attributes(__name__)
