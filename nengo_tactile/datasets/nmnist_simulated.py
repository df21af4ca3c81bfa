"""N-MNIST simulated: the images of MNIST before a camera that moves in three saccades."""

import argparse
import collections
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from nengo_tactile.datasets.base import EventDataset
from nengo_tactile.datasets.mnist import MNIST
from nengo_tactile.datasets.nmnist import NMNIST
from nengo_tactile.errors import DataError
from nengo_tactile.events import saccades
from nengo_tactile.events.compare import format_distributions
from nengo_tactile.events.saccades import (
    SENSOR_SIZE,
    SaccadeParameters,
    fitted_saccades,
    simulate,
)
from nengo_tactile.events.saccades_compare import (
    compare_quantities,
    event_image,
    paired_scores,
    plot_comparison,
    quantities,
)
from nengo_tactile.events.saccades_fit import (
    balance,
    corrected_path,
    search,
    start_parameters,
    with_spread,
)
from nengo_tactile.files import atomic_write, write_json
from nengo_tactile.progress import track


class SimulatedNMNIST(EventDataset):
    """MNIST's digits as the simulated event camera sees them.

    Samples are simulated on demand; none is kept. Sample i depends on its image, the parameters,
    seed, split and i only, in whatever order samples are asked for.

    Parameters
    ----------
    save_to : str or Path, optional
        ``mnist.npz`` or a folder that holds it; without it NENGO_TACTILE_DATA counts.
    split : {"train", "test"}
        60,000 and 10,000 digits, in the order of MNIST.
    n_samples : int, optional
        Only the first so many.
    seed : int
        Seed of thresholds, timing and noise.
    parameters : SaccadeParameters, optional
        By default those fitted to the recordings of N-MNIST.
    download : bool
        Fetch the images as `MNIST` does, when they are not there.
    transform, target_transform, transforms : callable, optional
        As in tonic.

    Raises
    ------
    DataError
        For an unknown split, images that are missing or damaged, or more samples than images.
    """

    sensor_size = SENSOR_SIZE
    classes = MNIST.classes

    def __init__(
        self,
        save_to: str | Path | None = None,
        split: str = "train",
        n_samples: int | None = None,
        seed: int = 0,
        parameters: SaccadeParameters | None = None,
        download: bool = False,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        transforms: Callable | None = None,
    ) -> None:
        digits = MNIST(save_to, split, download)
        super().__init__(digits.path, transform, target_transform, transforms)
        if n_samples is None:
            n_samples = len(digits)
        if not 0 < n_samples <= len(digits):
            raise DataError(
                f"simulated N-MNIST: n_samples is {n_samples}; give 1 to {len(digits)}, the "
                f"number of {split} images"
            )
        self.path, self.split, self.seed = digits.path, split, seed
        self.parameters = parameters or fitted_saccades()
        self.images, self.targets = digits.images[:n_samples], digits.targets[:n_samples]

    def read_events(self, index: int) -> np.ndarray:
        """Simulate one sample; return its events, without transforms."""
        rng = np.random.default_rng([self.seed, self.split == "test", index])
        return simulate(self.images[index], self.parameters, rng)

    def recordings(
        self,
        indices: Iterable[int] | None = None,
        progress: bool | None = None,
        workers: int | None = None,
    ) -> Iterator[np.ndarray]:
        """Iterate over events without transforms, with a progress bar.

        Only a few samples are held at a time.

        Parameters
        ----------
        indices : iterable of int, optional
            By default all samples in order.
        progress : bool, optional
            Show the bar; by default only on a terminal.
        workers : int, optional
            Threads that simulate, by default one for each processor core; the samples are the same
            for any number, and in order.

        Yields
        ------
        (n_events,) structured array
        """
        indices = range(len(self)) if indices is None else list(indices)
        workers = workers or os.cpu_count() or 1
        with ThreadPoolExecutor(workers) as pool:
            ahead: collections.deque = collections.deque()
            for index in track(indices, "simulating saccades", progress=progress):
                ahead.append(pool.submit(self.read_events, index))
                if len(ahead) > 2 * workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()


def recorded_digits(data_dir=None, split="train"):
    """Open the recordings of N-MNIST, and say which image each one shows.

    Parameters
    ----------
    data_dir : str or Path, optional
        As for `NMNIST`.
    split : {"train", "test"}

    Returns
    -------
    recordings : NMNIST
    order : (n,) int array
        Recordings in the order of MNIST.
    numbers : (n,) int array
        The image of each of them: recording 00001.bin shows image 0.

    Raises
    ------
    DataError
        For a file whose name is no number.
    """
    recordings = NMNIST(data_dir, split)
    numbers = []
    for name in recordings.files:
        stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        if not stem.isdecimal() or int(stem) < 1:
            raise DataError(f"{recordings.path}: {name} is not named <number from 1>.bin")
        numbers.append(int(stem) - 1)
    order = np.argsort(numbers)
    return recordings, order, np.array(numbers)[order]


def pairs(recordings, order, numbers, data, odd, n_samples=None):
    """Choose recordings and simulated samples of the same digits.

    Parameters
    ----------
    recordings, order, numbers
        From `recorded_digits`.
    data : SimulatedNMNIST
        Of the same split.
    odd : bool
        Digits of odd index, which the fit has not seen, or of even index.
    n_samples : int, optional
        At most so many.

    Returns
    -------
    recorded : list of structured arrays
    indices : (n,) int array
        Into ``data``.

    Raises
    ------
    DataError
        When an image is missing or its label is not the recording's.
    """
    chosen = np.flatnonzero(numbers % 2 == int(odd))[:n_samples]
    indices = numbers[chosen]
    if len(indices) == 0 or indices[-1] >= len(data):
        raise DataError(
            f"{recordings!r} shows image {indices[-1] if len(indices) else 'none'}, {data!r} ends "
            f"at {len(data) - 1}: give the MNIST images of the same split"
        )
    wrong = np.flatnonzero(recordings.targets[order[chosen]] != data.targets[indices])
    if len(wrong):
        raise DataError(
            f"{recordings.path}: {recordings.files[order[chosen[wrong[0]]]]} has another label "
            f"than image {indices[wrong[0]]} of {data.path}: the two do not belong together"
        )
    return [recordings.read_events(order[k]) for k in chosen], indices


def compare_with_recordings(data, recorded, indices, progress=None):
    """Set simulated digits beside the recordings of the same digits.

    Parameters
    ----------
    data : SimulatedNMNIST
    recorded : list of structured arrays
    indices : (n,) int array
        From `pairs`.
    progress : bool, optional

    Returns
    -------
    result : dict
        Plain numbers, ready for JSON: ``n_samples``, ``distributions`` (see
        `nengo_tactile.events.saccades_compare.compare_quantities`), ``scores`` (see
        `nengo_tactile.events.saccades_compare.paired_scores`).
    figure : matplotlib.figure.Figure
    """
    simulated = list(data.recordings(indices, progress))
    ours, real = quantities(simulated), quantities(recorded)
    result = {
        "n_samples": len(recorded),
        "distributions": compare_quantities(ours, real),
        "scores": paired_scores(simulated, recorded, SENSOR_SIZE),
    }
    means = [
        np.mean([event_image(events, SENSOR_SIZE) for events in side], axis=0)
        for side in (simulated, recorded)
    ]
    return result, plot_comparison(ours, real, means)


def fit_to_recordings(data, recorded, indices, n_samples=40, rounds=1, evaluations=80, seed=0,
                      progress=None):  # fmt: skip
    """Fit the simulator: measure, search, balance, and measure what varies between recordings.

    Parameters
    ----------
    data : SimulatedNMNIST
        Its images; its own parameters do not matter.
    recorded, indices
        From `pairs`.
    n_samples : int
        How many recordings each evaluation of the search simulates.
    rounds : int
        How many times the search starts anew from what it has found.
    evaluations : int
        In each round.
    seed : int
    progress : bool, optional

    Returns
    -------
    SaccadeParameters
    """
    images = data.images[indices]
    parameters = corrected_path(start_parameters(recorded, images), images[: 5 * n_samples], seed)
    few = np.unique(np.linspace(0, len(images) - 1, n_samples).astype(int))
    target, few = [recorded[k] for k in few], images[few]
    steps = iter(track(range(rounds * evaluations), "fitting saccades", progress=progress))
    for _ in range(rounds):
        parameters = balance(parameters, few, target, seed)
        parameters = search(parameters, few, target, evaluations, seed, lambda: next(steps, None))
    parameters = balance(parameters, few, target, seed)
    return with_spread(parameters, images[: 4 * n_samples], recorded[: 4 * n_samples], seed)


def main(arguments=None):
    """Print the comparison: ``python -m nengo_tactile.datasets.nmnist_simulated --help``."""
    parser = argparse.ArgumentParser(prog="python -m nengo_tactile.datasets.nmnist_simulated")
    parser.add_argument("--data-dir", help="folder of MNIST and of N-MNIST's recordings")
    parser.add_argument("--samples", type=int, help="by default all recordings of odd index")
    parser.add_argument("--fit", action="store_true", help="fit to those of even index first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for comparison.json and .png")
    options = parser.parse_args(arguments)
    data = SimulatedNMNIST(options.data_dir, seed=options.seed, parameters=SaccadeParameters())
    found = recorded_digits(options.data_dir)
    if options.fit:
        even, indices = pairs(*found, data, odd=False)
        data.parameters = fit_to_recordings(data, even, indices, seed=options.seed)
        path = Path(saccades.__file__).with_name(saccades.FILE_NAME)
        about = {"fitted to": f"{len(even)} recordings of even index", "seed": options.seed}
        write_json(path, {"parameters": data.parameters.to_dict(), "fit": about})
        print(f"wrote {path}")
    else:
        data.parameters = fitted_saccades()
    odd, indices = pairs(*found, data, odd=True, n_samples=options.samples)
    result, figure = compare_with_recordings(data, odd, indices)
    print(f"{len(odd)} digits of odd index, simulated and recorded")
    print(format_distributions(result["distributions"]))
    for name, value in result["scores"].items():
        print(f"{name:<26}{value:.3f}")
    if options.out:
        write_json(options.out / "comparison.json", result)
        with atomic_write(options.out / "comparison.png", "wb") as file:
            figure.savefig(file, format="png", dpi=120)
        print(f"wrote {options.out / 'comparison.json'} and comparison.png")


if __name__ == "__main__":
    main()
