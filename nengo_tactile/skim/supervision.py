"""What a SKIM network is taught at the end of a recording, and how its outputs are read there.

Cohen et al. 2016, sections 2.1 (training patterns) and 2.2 (output determination). A recording of
315 ms is followed by 45 ms of silence, the window, in which networks are trained and read.
"""

from dataclasses import dataclass

import numpy as np

from nengo_tactile.errors import DataError

PATTERNS = ("flat", "gaussian", "exponential")
METHODS = ("max", "area", "weighted-max", "weighted-area")

#: Steps of a whole pattern and of its window, 1 ms each (Cohen et al. 2016, section 2).
N_STEPS, WINDOW = 360, 45
#: Mean and standard deviation of the Gaussian pattern, in steps (section 3.3).
MU, SIGMA = 10.0, 5.0
#: Time constants that an exponential pattern lasts by default, so that it ends at 2 %: "a smooth
#: return to zero" (section 2.1; the paper gives no number).
DECAYS = 4.0


def training_pattern(
    kind: str, length: int, mu: float = MU, sigma: float = SIGMA, tau: float | None = None
) -> np.ndarray:
    """What the right output should do, with a peak of one (Cohen et al. 2016, Figure 2).

    Parameters
    ----------
    kind : {"flat", "gaussian", "exponential"}
        Ones; ``exp(-(k - mu) ** 2 / (2 sigma ** 2))``; ``exp(-k / tau)``, with ``k`` from 0.
    length : int
        Steps.
    mu, sigma : float
        Of the Gaussian, in steps. The paper's peak lies at step 10: its pattern needs 20 steps.
    tau : float, optional
        Of the exponential, in steps; by default ``length / 4``.

    Returns
    -------
    (length,) float array

    Raises
    ------
    DataError
        If the kind is unknown or a number is out of its range.
    """
    if kind not in PATTERNS:
        raise DataError(f"training pattern {kind!r}: choose one of {', '.join(PATTERNS)}")
    if length != int(length) or length < 1:
        raise DataError(f"training pattern of {length} steps: give a whole number from 1")
    tau = length / DECAYS if tau is None else tau
    for name, value in (("sigma", sigma), ("tau", tau)):
        if not (np.isfinite(value) and value > 0):
            raise DataError(f"training pattern's {name} is {value} steps: it must be above 0")
    k = np.arange(int(length))
    if kind == "flat":
        return np.ones(int(length))
    if kind == "gaussian":
        return np.exp(-((k - mu) ** 2) / (2 * sigma**2))
    return np.exp(-k / tau)


@dataclass(frozen=True, eq=False)
class Supervision:
    """Where in a pattern training and reading happen.

    Parameters
    ----------
    pattern : (length,) float array
        What the right output should do; the other outputs should stay at zero, and so should all
        in the rest of the window.
    n_steps : int
        Steps of a whole input pattern.
    window : int
        Steps at its end in which the network is trained.
    onset : int
        Step of the window at which ``pattern`` begins.

    Raises
    ------
    DataError
        If the pattern does not fit into the window, or the window into the steps.
    """

    pattern: np.ndarray
    n_steps: int = N_STEPS
    window: int = WINDOW
    onset: int = 0

    def __post_init__(self):
        pattern = np.array(self.pattern, float)
        if pattern.ndim != 1 or not np.isfinite(pattern).all() or not pattern.any():
            raise DataError(
                f"training pattern of shape {pattern.shape}: give finite numbers, (length,), "
                "that are not all zero"
            )
        if self.onset < 0 or self.onset + len(pattern) > self.window:
            raise DataError(
                f"a training pattern of {len(pattern)} steps from step {self.onset} on does not "
                f"fit into a window of {self.window} steps: shorten it, or begin it earlier"
            )
        if self.window > self.n_steps:
            raise DataError(
                f"a window of {self.window} steps does not fit into patterns of {self.n_steps} "
                "steps: shorten it"
            )
        object.__setattr__(self, "pattern", pattern)

    @property
    def first(self) -> int:
        """The window's first step."""
        return self.n_steps - self.window

    @property
    def taught(self) -> slice:
        """The steps of the window in which the pattern is, as a slice."""
        return slice(self.onset, self.onset + len(self.pattern))

    def targets(self, label: int, n_classes: int, sample: str = "") -> np.ndarray:
        """What all outputs should do in the window for one sample, (window, n_classes).

        ``sample`` says in errors whose label it is.

        Raises
        ------
        DataError
            If the label is not one of the classes.
        """
        check_label(label, n_classes, sample)
        targets = np.zeros((self.window, n_classes))
        targets[self.taught, int(label)] = self.pattern
        return targets


def check_label(label, n_classes, sample=""):
    """Refuse a label that is not one of the classes; ``sample`` says in front whose it is."""
    if not (np.ndim(label) == 0 and np.isfinite(label) and label == int(label)) or not (
        0 <= label < n_classes
    ):
        raise DataError(
            f"{sample}label {label} is not one of the {n_classes} classes, 0 to {n_classes - 1}: "
            "correct it, or raise n_classes"
        )


def determine(outputs: np.ndarray, method: str, supervision: Supervision) -> np.ndarray:
    """Choose the classes of samples by what the outputs did while the pattern was expected.

    Parameters
    ----------
    outputs : (..., window, n_classes) float array
        In the supervision's window.
    method : {"max", "area", "weighted-max", "weighted-area"}
        The highest value of any output, or the highest sum over the steps, where negative values
        count as such; "weighted" multiplies by the training pattern before.
    supervision : Supervision

    Returns
    -------
    (...) int array
        Among equals the first class.

    Raises
    ------
    DataError
        If the method is unknown, or the outputs do not cover the window or are not finite.
    """
    taught = _taught(outputs, method, supervision, supervision.window)
    score = taught.max(-2) if method.endswith("max") else taught.sum(-2)
    return score.argmax(-1)


def scores_over_time(outputs, method, supervision):
    """What speaks for each class if one stopped reading after each step; the largest is chosen.

    From the first step of the training pattern on that is what `determine` compares, with the
    steps of the pattern so far, so that the last step's choices are its own; before, the outputs.

    Parameters
    ----------
    outputs : (..., n_steps, n_classes) float array
        Of whole patterns.
    method, supervision
        As for `determine`.

    Returns
    -------
    (..., n_steps, n_classes) float array

    Raises
    ------
    DataError
        If the method is unknown, or the outputs do not cover the pattern or are not finite.
    """
    outputs = np.asarray(outputs)
    taught = _taught(outputs, method, supervision, supervision.n_steps)
    score = np.maximum.accumulate(taught, -2) if method.endswith("max") else taught.cumsum(-2)
    scores = outputs.copy()
    begin = supervision.first + supervision.onset
    end = begin + len(supervision.pattern)
    scores[..., begin:end, :] = score
    scores[..., end:, :] = score[..., -1:, :]
    return scores


def determine_over_time(outputs, method, supervision):
    """Choose the classes of samples as if one stopped reading after each step.

    Parameters and errors are those of `scores_over_time`.

    Returns
    -------
    (..., n_steps) int array
    """
    return scores_over_time(outputs, method, supervision).argmax(-1)


def check_method(method):
    """Refuse an unknown method of output determination."""
    if method not in METHODS:
        raise DataError(f"output determination {method!r}: choose one of {', '.join(METHODS)}")


def _taught(outputs, method, supervision, n_steps):
    """Outputs in the steps of the training pattern, out of the last ``n_steps``."""
    outputs = np.asarray(outputs)
    check_method(method)
    if outputs.ndim < 2 or outputs.shape[-2] != n_steps:
        what = "window" if n_steps == supervision.window else "pattern"
        raise DataError(
            f"outputs have shape {outputs.shape}: give (..., {n_steps}, n_classes), the "
            f"steps of the {what}"
        )
    taught = outputs[..., n_steps - supervision.window :, :][..., supervision.taught, :]
    if not np.isfinite(taught).all():
        raise DataError(
            f"outputs have {np.count_nonzero(~np.isfinite(taught))} values that are not finite: "
            "train anew, with a larger ridge"
        )
    return taught * supervision.pattern[:, None] if method.startswith("weighted") else taught
