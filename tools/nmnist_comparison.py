"""Simulated N-MNIST beside recordings of the same digits, and its fit to them.

python tools/nmnist_comparison.py --data-dir DATA --out comparison [--fit]
"""

import argparse
from pathlib import Path

import numpy as np
from saccades_fit import balance, corrected_path, search, start_parameters, with_spread

from nengo_tactile.datasets.nmnist_simulated import SimulatedNMNIST, recorded_digits
from nengo_tactile.errors import DataError
from nengo_tactile.events import saccades
from nengo_tactile.events.compare import format_distributions
from nengo_tactile.events.saccades import SENSOR_SIZE, SaccadeParameters, fitted_saccades
from nengo_tactile.events.saccades_compare import (
    compare_quantities,
    event_image,
    paired_scores,
    plot_comparison,
    quantities,
)
from nengo_tactile.files import atomic_write, write_json
from nengo_tactile.progress import track


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
    """Print the comparison: ``python tools/nmnist_comparison.py --help``."""
    parser = argparse.ArgumentParser(prog="python tools/nmnist_comparison.py")
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
