"""SKIM on N-MNIST (Cohen et al. 2016): networks, data, and which runs give the paper's results."""

import dataclasses

from nengo_tactile.errors import DataError
from nengo_tactile.events.patterns import PatternLayout
from nengo_tactile.reproduce.choices import check_counts, names_of
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

PARTS = ("growth", "trials", "crossing", "tactile")
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


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a reproduction runs.

    Attributes
    ----------
    parts : tuple of str
        Of `PARTS`.
    hidden : tuple of int
        Sizes of hidden layers for Figure 4 and Tables 1 and 2.
    n_samples : int or None
        Training digits, None for all 60,000.
    n_trials : int
        Networks of 1,000 hidden neurons with weights of their own (the paper has 51 to 61).
    trial_hidden, trial_samples : int
        Their hidden neurons and training digits.
    n_test : int or None
        Test digits, None for all 10,000.
    kernels : str
        Of `LAYERS`.
    seed : int
    recordings : path or None
        A folder of the whole N-MNIST; by default its digits are simulated.
    """

    parts: tuple = PARTS
    hidden: tuple = HIDDEN
    n_samples: int | None = None
    n_trials: int = 60
    trial_hidden: int = 1000
    trial_samples: int = UP_TO
    n_test: int | None = None
    kernels: str = "resonance"
    seed: int = 0
    recordings: object = None

    def draw(self, n_hidden, n_channels, number=None):
        """A hidden layer: that of the plan's seed, or number so many of those for trials."""
        seed = self.seed if number is None else self.trial_seed(number)
        return draw_layer(n_hidden, n_channels, seed, **LAYERS[self.kernels])

    def trial_seed(self, number):
        """Seed of the hidden layer of a trial, none of which has another's."""
        return 1000 * (self.seed + 1) + number

    def command(self):
        """The command line that runs it."""
        options = ""
        if self.n_samples is not None:
            options += f" --samples {self.n_samples}"
        if self.n_test is not None:
            options += f" --test-samples {self.n_test}"
        if self.recordings is not None:
            options += f" --recordings {self.recordings}"
        return (
            f"nengo-tactile reproduce skim --parts {','.join(self.parts)} --hidden "
            f"{','.join(map(str, self.hidden))} --trials {self.n_trials} --trial-hidden "
            f"{self.trial_hidden} --trial-samples {self.trial_samples}{options} --kernels "
            f"{self.kernels} --seed {self.seed} --data-dir DATA"
        )


def make_plan(parts=None, hidden=None, **options):
    """A plan from what a command line gives.

    Parameters
    ----------
    parts, hidden : str, optional
        Separated by commas; by default all of `PARTS` and `HIDDEN`.
    **options
        See `Plan`.

    Returns
    -------
    Plan

    Raises
    ------
    DataError
        For parts that are not known and hidden sizes that are no numbers above zero.
    """
    parts = names_of(parts, PARTS, "part")
    sizes = HIDDEN
    if hidden is not None:
        words = hidden.replace(" ", "").split(",")
        if not all(word.isdecimal() and int(word) for word in words):
            raise DataError(
                f"hidden sizes are {hidden!r}: give numbers from 1, separated by commas, such as "
                "100,1000"
            )
        sizes = tuple(sorted({int(word) for word in words}))
    plan = Plan(parts, sizes, **options)
    if plan.kernels not in LAYERS:
        raise DataError(f"kernels {plan.kernels!r} are unknown: choose from {', '.join(LAYERS)}")
    check_counts(plan, "n_samples", "n_test", "trial_samples", "n_trials", "trial_hidden")
    return plan
