"""Few steps: networks, kinds of spikes, numbers of steps."""

import dataclasses
from pathlib import Path

from nengo_tactile.conversion.neurons import IF
from nengo_tactile.experiments.plans import Plan
from nengo_tactile.options import option

#: Trained weights, and shipped tactile networks, whose ReLUs stand where their neurons are.
NETWORKS = {
    "cifar10-resnet20": "ResNet-20, CIFAR-10",
    "cifar10-resnet44": "ResNet-44, CIFAR-10",
    "cifar10-resnet56": "ResNet-56, CIFAR-10",
    "cifar100-resnet44": "ResNet-44, CIFAR-100",
    "cifar10-plain20": "plain-20, CIFAR-10",
    "cifar10-mobilenet": "MobileNet, CIFAR-10",
    "cifar10-densenet": "DenseNet, CIFAR-10",
    "mnist-resnet8": "ResNet-8, MNIST",
    "scenes-unet": "U-Net, scenes of digits",
    "stemnist-cnn": "CNN, STEMNIST",
    "eskin-cnn": "CNN, simulated e-skin",
}
STEPS = (1, 2, 4, 8, 16, 32, 64)


@dataclasses.dataclass(frozen=True)
class Setting:
    """A kind of neurons.

    Attributes
    ----------
    title : str
        For tables.
    neuron : IF
    steps : tuple of int
        Numbers of steps that it is run for.
    tuned : bool
        Of the weights that were fine-tuned with quantised activations.
    """

    title: str
    neuron: IF
    steps: tuple = STEPS
    tuned: bool = False

    @property
    def is_binary(self):
        """Whether a spike is worth one, of either sign."""
        return self.neuron.spikes_per_step == 1


def _signed(k=1, correction="bias", **options):
    options |= {"thresholds": "steps", "channelwise": True, "correction": correction}
    return IF(signed=True, spikes_per_step=k, **options)


SETTINGS = {
    "plain": Setting("plain", IF(discard="tune")),
    "signed": Setting("signed", _signed()),
    "learned": Setting("signed, learned", _signed(correction="learned"), (8,)),
    "qcfs": Setting("plain, fine-tuned (QCFS)", IF(), tuned=True),
    "graded-2": Setting("graded, up to 2", _signed(2)),
    "graded-4": Setting("graded, up to 4", _signed(4)),
    "graded-4-learned": Setting("graded, up to 4, learned", _signed(4, "learned"), (4,)),
    "graded-8": Setting("graded, up to 8", _signed(8)),
    "graded-8-coarse": Setting("graded, up to 8, coarse", _signed(8, coarseness=0.5), (2,)),
}


@dataclasses.dataclass(frozen=True)
class FewStepsPlan(Plan):
    """Networks, kinds of spikes, numbers of steps, random training images to choose on and test
    images (None: all), folder of weights (None: the package's), seed of the choice of images.
    """

    networks: tuple = option(
        tuple(NETWORKS), "cifar10-resnet20,... (default: all).", choices=NETWORKS
    )
    settings: tuple = option(
        tuple(SETTINGS), "plain,signed,graded-4,... (default: all).", choices=SETTINGS
    )
    steps: tuple = option(
        tuple(map(str, STEPS)), "1,2,4,... (default: all).", choices=tuple(map(str, STEPS))
    )
    n_calibration: int = option(
        1024, "Random training samples to choose on.", flag="--calibration", least=1
    )
    n_samples: int | None = option(None, "Use so many random samples.", flag="--samples", least=1)
    weights: str | Path | None = option(None, "Folder of trained weights (default: the package's).")
    seed: int = option(0, "Seed of every random draw.", always=True)

    def runs(self):
        """What is run, [(network's name, setting's key, steps)] in the order of running."""
        return [
            (name, key, n_steps)
            for name in self.networks
            for key in self.settings
            for n_steps in map(int, self.steps)
            if n_steps in SETTINGS[key].steps
        ]
