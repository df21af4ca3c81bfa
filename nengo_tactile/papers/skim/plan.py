"""SKIM on N-MNIST (Cohen et al. 2016): networks, data, and which runs give the paper's results."""

import dataclasses
from pathlib import Path

from nengo_tactile.errors import DataError
from nengo_tactile.events.patterns import PatternLayout
from nengo_tactile.experiments.plans import Plan
from nengo_tactile.options import option
from nengo_tactile.skim.layer import draw_layer
from nengo_tactile.skim.supervision import Supervision, training_pattern

#: Hidden layers by their kernels, for `nengo_tactile.skim.draw_layer`. The paper has alpha
#: functions (section 3.4), but gives neither time constants nor the size of its random weights.
#: Those of the resonance were chosen on held-out simulated training digits.
LAYERS = {
    "resonance": {"kind": "resonance", "tau": (100, 300), "period": (150, 300), "scale": 2.0},
    "alpha": {"kind": "alpha"},
}
#: Steps of the training patterns where nothing else is said (section 3.4), and of the Gaussian,
#: whose peak lies at step 10 (section 3.3).
LENGTH, GAUSSIAN_LENGTH = 10, 20
#: Training pattern and output determination of the runs over hidden sizes. The paper does not say
#: which it took; Area it reports "unless otherwise specified" (section 3.3).
PATTERN, METHOD = "flat", "area"
#: Figure 4 tests after each so many training samples, up to so many.
EVERY, UP_TO = 1000, 10_000

PARTS = ("growth", "trials", "crossing", "tactile", "online")
HIDDEN = (10, 100, 500, 1000, 2000, 5000, 10_000)

#: Tactile sets: 2 s of recording in 315 steps, as long in steps as N-MNIST's.
TACTILE = {
    "eskin-pendigits": PatternLayout((10, 10, 2), step_us=6400, separate_polarities=True),
    "stemnist": PatternLayout((16, 16, 1), step_us=6400),
}
#: Their kernels, of `LAYERS`, chosen on held-out training samples, as were separate polarities: a
#: press and a release would take each other away.
TACTILE_KERNELS = "alpha"


def supervision(kind=PATTERN):
    """The `nengo_tactile.skim.Supervision` of a training pattern, in the last 45 of 360 steps."""
    length = GAUSSIAN_LENGTH if kind == "gaussian" else LENGTH
    return Supervision(training_pattern(kind, length))


def draw(kernels, seed, n_hidden, n_channels, number=None):
    """A hidden layer: that of a plan's seed, or number so many of those for trials."""
    seed = seed if number is None else trial_seed(seed, number)
    return draw_layer(n_hidden, n_channels, seed, **LAYERS[kernels])


def trial_seed(seed, number):
    """Seed of the hidden layer of a trial, none of which has another's."""
    return 1000 * (seed + 1) + number


@dataclasses.dataclass(frozen=True)
class SkimPlan(Plan):
    """Parts; sizes of hidden layers for Figure 4 and Tables 1 and 2; networks with weights of
    their own (the paper has 51 to 61), their hidden neurons and training digits; training and
    test digits (None: all 60,000 and 10,000); a folder of the whole N-MNIST (None: its digits are
    simulated); kernels, of `LAYERS`; seed.
    """

    parts: tuple = option(
        PARTS,
        "growth,trials,crossing,tactile,online (default: all).",
        choices=PARTS,
        always=True,
    )
    hidden: tuple = option(HIDDEN, "Hidden sizes of Figure 4: 10,100,...", always=True)
    n_trials: int = option(
        60, "Networks with weights of their own.", flag="--trials", least=1, always=True
    )
    trial_hidden: int = option(1000, "Their hidden neurons.", least=1, always=True)
    trial_samples: int = option(UP_TO, "Their training digits.", least=1, always=True)
    n_samples: int | None = option(
        None, "Training digits (default: all 60,000).", flag="--samples", least=1
    )
    n_test: int | None = option(
        None, "Test digits (default: all 10,000).", flag="--test-samples", least=1
    )
    online_hidden: int = option(
        2000, "Hidden neurons that learn while they run.", least=1, always=True
    )
    online_samples: int | None = option(
        None, "Recordings that they see (default: all of STEMNIST's).", least=1
    )
    recordings: str | Path | None = option(
        None, "Folder of the whole N-MNIST (default: simulate it)."
    )
    kernels: str = option(
        "resonance",
        "resonance; alpha, as in the paper.",
        choices=LAYERS,
        always=True,
    )
    seed: int = option(0, "Seed of every random draw.", always=True)

    def __post_init__(self):
        super().__post_init__()
        words = [str(size) for size in self.hidden]
        if not all(word.isdecimal() and int(word) for word in words):
            raise DataError(
                f"hidden sizes are {','.join(words)!r}: give numbers from 1, separated by commas, "
                "such as 100,1000"
            )
        object.__setattr__(self, "hidden", tuple(sorted({int(word) for word in words})))
