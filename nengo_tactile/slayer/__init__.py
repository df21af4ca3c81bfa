"""Networks of spiking neurons, trained on spikes by back-propagation (SLAYER), with spike losses.

Shrestha and Orchard 2018, "SLAYER: Spike layer error reassignment in time"; Shrestha et al. 2022,
"Spikemax: Spike-based loss methods for classification". Modules load on first use, so that
importing the room is quick.
"""

from nengo_tactile.lazy import attributes

_HOMES = {
    "SpikeResponseModel": "neurons",
    "CurrentBasedLIF": "neurons",
    "Surrogate": "surrogates",
    "SpikingDense": "layers",
    "SpikingConv2D": "layers",
    "AggregatePooling2D": "layers",
    "build": "models",
    "stages_of": "models",
    "model_of": "models",
    "Stage": "stages",
    "SpikeRate": "losses",
    "Spikemax": "losses",
    "SpikemaxGlobal": "losses",
    "SpikemaxSoftmax": "losses",
    "SpikeCount": "losses",
    "SpikeAccuracy": "metrics",
    "Recipe": "training",
    "train": "training",
    "evaluate": "training",
    "SlayerNetwork": "classifier",
    "SpikeLayout": "classifier",
}

__all__ = sorted(_HOMES)
__getattr__, __dir__ = attributes(__name__, _HOMES)
