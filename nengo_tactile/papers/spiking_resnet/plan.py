"""Spiking ResNet (Hu et al.): the paper's numbers, and which runs give ours.

The paper's membrane potentials start at zero as far as it says. Ours start at half the threshold,
which rounds instead of cutting off; both are run, and rows say which. Table 3 starts at zero,
because there is less to compensate for otherwise.
"""

import dataclasses
from pathlib import Path

from nengo_tactile.commands.networks import train_command, weights_file
from nengo_tactile.conversion.neurons import IF
from nengo_tactile.errors import DataError
from nengo_tactile.experiments.plans import Plan
from nengo_tactile.options import option

#: Table 1: task -> (depth, accuracy of the ANN, of the SNN). The SNN is that of Table 3.
PAPER_TABLE1 = {
    "mnist": (8, 0.9959, 0.9959),
    "cifar10": (44, 0.9285, 0.9237),
    "cifar100": (44, 0.7018, 0.6856),
}
#: Table 2: depth -> (ANN, SNN-alpha, SNN-beta).
PAPER_TABLE2 = {
    20: (0.9199, 0.8945, 0.9179),
    32: (0.9266, 0.8538, 0.9170),
    44: (0.9285, 0.8456, 0.9198),
    56: (0.9299, 0.8333, 0.9164),
    110: (0.9347, 0.7923, 0.8782),
}
#: Table 3: (kind, depth) -> (SNN, SNN with compensation).
PAPER_TABLE3 = {
    ("plain", 20): (0.8873, 0.8940),
    ("plain", 32): (0.8374, 0.8612),
    ("plain", 44): (0.6092, 0.6912),
    ("plain", 56): (0.4578, 0.5851),
    ("resnet", 20): (0.9179, 0.9182),
    ("resnet", 32): (0.9170, 0.9204),
    ("resnet", 44): (0.9198, 0.9237),
    ("resnet", 56): (0.9164, 0.9233),
}
#: Figure 4, by the text of section 4.3: accuracy that plain networks lose.
PAPER_PLAIN_LOSS = {20: 0.0197, 32: 0.0611, 44: 0.2860, 56: 0.4175}


@dataclasses.dataclass(frozen=True)
class Setting:
    """One way to convert and run a network.

    Attributes
    ----------
    title : str
        For tables.
    neuron : IF
    n_steps : int or None
        None for the plan's.
    tuned : bool
        Of the weights that were fine-tuned with quantised activations.
    """

    title: str
    neuron: IF = IF()  # noqa: RUF009 (frozen)
    n_steps: int | None = None
    tuned: bool = False


SETTINGS = {
    "beta": Setting("SNN-beta, from half the threshold"),
    # chosen on 600 training images: nearest to the ANN's outputs after 64 and 128 steps
    "channels": Setting("SNN-beta, normalised by channel", IF(channelwise=True, percentile=99.99)),
    "beta-zero": Setting("SNN-beta, from zero", IF(start=0.0)),
    "alpha": Setting("SNN-alpha, from half the threshold", IF(shortcut_normalisation=False)),
    "alpha-zero": Setting("SNN-alpha, from zero", IF(shortcut_normalisation=False, start=0.0)),
    "compensated": Setting("compensated, from zero", IF(start=0.0, compensation="network")),
    "potential": Setting("corrected potential", IF(correction="potential")),
    "bias-32": Setting("corrected bias", IF(correction="bias", channelwise=True), 32),
    "potential-32": Setting(
        "corrected potential", IF(correction="potential", channelwise=True), 32
    ),
    "qcfs-32": Setting("fine-tuned (QCFS)", IF(), 32, True),
    "bias-16": Setting("corrected bias", IF(correction="bias", channelwise=True), 16),
    "potential-16": Setting(
        "corrected potential", IF(correction="potential", channelwise=True), 16
    ),
    "qcfs-16": Setting("fine-tuned (QCFS)", IF(), 16, True),
}
#: Steps of the settings for few steps.
FEW_STEPS = (16, 32, 64)

#: Part -> what it runs. Figure 3 runs no setting: it looks at firing rates on training images.
PARTS = {
    "table1": ("beta", "channels"),
    "table2": ("beta", "alpha", "beta-zero", "alpha-zero"),
    "figure4": ("beta", "beta-zero"),
    "steps": ("beta", "channels", *(key for key in SETTINGS if SETTINGS[key].n_steps)),
    "table3": ("beta-zero", "compensated"),
    "figure3": (),
}


@dataclasses.dataclass(frozen=True)
class Network:
    """A trained network by its name, "cifar10-resnet20"."""

    name: str

    @property
    def task(self):
        """Name of its task."""
        return self.name.split("-")[0]

    @property
    def kind(self):
        """Either "resnet" or "plain"."""
        return "plain" if "plain" in self.name else "resnet"

    @property
    def depth(self):
        """Layers with weights."""
        return int(self.name.split("-")[1].removeprefix(self.kind))

    @property
    def title(self):
        """For tables; one depth is on both of CIFAR's sets."""
        data = " on CIFAR-100" if self.task == "cifar100" else ""
        return f"{'ResNet' if self.kind == 'resnet' else 'plain'}-{self.depth}{data}"

    def setting_title(self, key):
        """A setting's title; without shortcuts there is no alpha or beta."""
        title = SETTINGS[key].title
        return title.replace("SNN-beta", "SNN") if self.kind == "plain" else title

    def parts(self):
        """Parts it is a row of."""
        if self.task != "cifar10":
            return ("table1",)
        if self.kind == "plain":
            return ("figure4", "table3")
        return tuple(PARTS)


#: Those that the paper has, by the names of their weights.
NETWORKS = {
    name: Network(name)
    for name in (
        "mnist-resnet8",
        *(f"cifar10-{kind}{depth}" for depth in PAPER_TABLE2 for kind in ("resnet", "plain")),
        "cifar100-resnet44",
    )
}


@dataclasses.dataclass(frozen=True)
class ResnetPlan(Plan):
    """Parts of the paper (what the first ones need runs first), networks (None: all that are
    trained), time steps, random test images (None: all), random training images for figure 3
    (the paper has 10,000), folder of weights (None: the package's), seed of the choice of images.
    """

    parts: tuple = option(
        tuple(PARTS),
        "table1,table2,table3,figure3,figure4,steps (default: all).",
        choices=PARTS,
        always=True,
    )
    networks: tuple = option(
        None,
        "cifar10-resnet20,... (default: all that are trained).",
        choices=NETWORKS,
        always=True,
    )
    n_steps: int = option(128, "Time steps per image.", flag="--steps", least=1, always=True)
    n_samples: int | None = option(None, "Use so many random samples.", flag="--samples", least=1)
    n_figure3: int = option(
        1000, "Random training images.", flag="--figure3-samples", least=1, always=True
    )
    weights: str | Path | None = option(None, "Folder of trained weights (default: the package's).")
    seed: int = option(0, "Seed of every random draw.", always=True)

    def __post_init__(self):
        if self.networks is None:
            trained = tuple(name for name in NETWORKS if weights_file(name, self.weights))
            object.__setattr__(self, "networks", trained)
        super().__post_init__()
        if not self.networks:
            raise DataError(
                "no trained weights: train one with\n"
                f"  {train_command('cifar10-resnet20', 'cifar10-resnet20.npz')}\n"
                "and give its folder (--weights)"
            )
        for name in self.networks:
            if not weights_file(name, self.weights):
                raise DataError(
                    f"network {name!r} is not trained: train it with\n"
                    f"  {train_command(name, f'{name}.npz')}\nand give its folder (--weights)"
                )

    def runs(self):
        """What is run, [(Network, setting's key)] in the order of running."""
        found = {}
        for part in self.parts:
            for key in PARTS[part]:
                for network in map(NETWORKS.get, self.networks):
                    tuned = SETTINGS[key].tuned
                    there = not tuned or weights_file(f"{network.name}-qcfs", self.weights)
                    if part in network.parts() and there:
                        found[network, key] = None
        return list(found)
