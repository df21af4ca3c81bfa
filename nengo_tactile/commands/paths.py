"""From images to spikes: the steps that the demo, the tables and the shipped models share."""

import dataclasses

import numpy as np

from nengo_tactile import engines
from nengo_tactile.analysis import cost_until, energy_of_recording, latency_step, layer_activity
from nengo_tactile.ann import build, training
from nengo_tactile.conversion.convert import convert
from nengo_tactile.conversion.lif_training import LIFRecipe, lif_network, train_in_nengo_dl
from nengo_tactile.conversion.neurons import LIF
from nengo_tactile.engines.loihi import CHIP_RATE, chip_report, chip_settings
from nengo_tactile.networks.targets import targets_of

#: Test samples shown to the emulator (ST-MNIST paper, section 3.2.2: 200 random ones).
EMULATOR_SAMPLES = 200
#: Training samples that scales, firing rates and synapse are chosen on, at most.
CALIBRATION_SAMPLES = 512


@dataclasses.dataclass(frozen=True)
class Measured:
    """A network's run on labelled samples.

    Attributes
    ----------
    recording : Recording
    labels : (n_samples, ...) array
        Or values, of a regression: see `nengo_tactile.networks.targets`.
    """

    recording: object
    labels: np.ndarray

    @property
    def targets(self):
        """What the network should answer."""
        return targets_of(self.recording.read_out, self.labels)

    @property
    def accuracy(self):
        """Accuracy after the last step."""
        return float(self.recording.accuracy(self.labels)[-1])

    def numbers(self):
        """Plain numbers for JSON: of accuracy, or for values of the error."""
        targets = self.targets
        curve = targets.curve(self.recording)
        step = latency_step(targets.score(curve), n_samples=targets.n_counted)
        cost = cost_until(self.recording, step)
        whole = cost_until(self.recording)
        return {
            "engine": self.recording.engine,
            "n_test": len(self.labels),
            "n_steps": self.recording.n_steps,
            targets.what: float(curve[-1]),
            f"{targets.what}_over_time": [float(value) for value in curve],
            "latency_step": step,
            "spikes_to_latency": cost.spikes,
            "unit_spikes_to_latency": cost.unit_spikes,
            "synops_to_latency": cost.synops,
            "spikes": whole.spikes,
            "unit_spikes": whole.unit_spikes,
            "synops": whole.synops,
            "loihi_joules_rough": energy_of_recording(self.recording).joules,
            "layers": [activity.row() for activity in layer_activity(self.recording)],
        }


def train_cnn(notation, data, recipe, seed, validation=None, checkpoint=None, progress=None):
    """Build and train the paper's CNN.

    Returns
    -------
    tf.keras.Model
    """
    model = build(notation, seed=seed)
    training.train(
        model,
        data,
        recipe,
        seed=seed,
        validation=validation,
        checkpoint=checkpoint,
        progress=progress,
        description=f"training {notation}",
    )
    return model


def train_snn(model, data, recipe=LIFRecipe(), seed=0, progress=None):  # noqa: B008 (frozen)
    """Train on with LIF rates in NengoDL, as the paper's ANN-SNN row does.

    Returns
    -------
    tf.keras.Model
        With LIF rates.
    """
    lif = lif_network(model, calibration_samples(data[0], seed), LIF(max_rate=recipe.max_rate))
    trained, _ = train_in_nengo_dl(lif, data, recipe=recipe, seed=seed, progress=progress)
    return trained


def calibration_samples(x, seed=0):
    """Random samples to calibrate on: data sets may be sorted by class.

    Parameters
    ----------
    x : (n_samples, ...) array
    seed : int

    Returns
    -------
    array
        At most `CALIBRATION_SAMPLES` of them, in random order.
    """
    return x[np.random.default_rng(seed).permutation(len(x))[:CALIBRATION_SAMPLES]]


def to_spikes(model, task, x, seed=0, progress=None, **options):
    """Convert with rates and synapse tuned on training samples."""
    return convert(
        model, calibration_samples(x, seed), image=task.image, progress=progress, **options
    )


def on_nengo_dl(network, x, y, progress=None, n_steps=None):
    """Run all samples in NengoDL."""
    return Measured(engines.run(network, x, n_steps, progress=progress), np.asarray(y))


def on_emulator(network, x, y, n_samples=EMULATOR_SAMPLES, seed=0, progress=None, rate=CHIP_RATE):
    """Run random test samples on the Loihi emulator, at the rates that suit the chip.

    Whatever their accuracy, for it is what is asked for.
    ``rate`` is a factor on the firing rates: see `nengo_tactile.engines.loihi.chip_settings`.

    Returns
    -------
    measured : Measured
    chosen : (n_samples,) int array
        Indices of the samples that were run.
    """
    chosen = np.random.default_rng(seed).permutation(len(x))[:n_samples]
    shown = chip_settings(network, rate)
    recording = engines.run(shown, x[chosen], engine="loihi", progress=progress, least_agreement=0)
    return Measured(recording, np.asarray(y)[chosen]), chosen


def on_chip(network, rate=CHIP_RATE):
    """Where the network lies on the chip."""
    return chip_report(chip_settings(network, rate))
