"""The simulated e-skin beside the ST-MNIST paper's Table 1 and a real recording.

python tools/eskin_comparison.py --source parametric
python tools/eskin_comparison.py --source DATA/pendigits --recording FILE.mat --out comparison
"""

import argparse
from pathlib import Path

import numpy as np

from nengo_tactile.datasets.eskin import ESkin
from nengo_tactile.datasets.spiketrain import read_spiketrain
from nengo_tactile.errors import DataError
from nengo_tactile.events.compare import (
    class_statistics,
    compare_distributions,
    format_distributions,
    format_table1,
    plot_distributions,
    sample_statistics,
    table1_scores,
)
from nengo_tactile.events.eskin_table1 import table1
from nengo_tactile.events.images import TactileImage
from nengo_tactile.files import atomic_write, write_json


def compare_with_paper(data, recording=None, n_compared=300, progress=None):
    """Set a simulated data set beside the ST-MNIST paper and a real recording.

    Parameters
    ----------
    data : ESkin
    recording : structured array, optional
        Events of one real ST-MNIST recording: adds the comparison of distributions.
    n_compared : int
        Most samples whose distributions are taken (see `samples_like`).
    progress : bool, optional
        Show a bar; by default only on a terminal.

    Returns
    -------
    dict
        Plain numbers, ready for JSON: ``table1`` and ``paper`` {statistic: {"mean", "sd"}} per
        digit, ``scores`` (see `nengo_tactile.events.compare.table1_scores`), ``n_samples``, and
        ``distributions`` if a recording was given.
    """
    rows = statistics_of(data, progress)
    ours = class_statistics(rows, data.targets)
    result = {"n_samples": len(data), "scores": table1_scores(ours)}
    for name, table in (("table1", ours), ("paper", table1())):
        result[name] = {
            key: {kind: values.tolist() for kind, values in columns.items()}
            for key, columns in table.items()
        }
    if recording is not None:
        alike = samples_like(recording, rows, n_compared)
        result["n_compared"] = len(alike)
        result["distributions"] = compare_distributions(data.recordings(alike, progress), recording)
    return result


def statistics_of(data, progress=None):
    """Return the statistics of Table 1 for each sample, (n_samples, 6) array."""
    return np.stack([sample_statistics(events) for events in data.recordings(progress=progress)])


def samples_like(recording, statistics, n_samples):
    """Choose samples with about as many events as a recording.

    One recording has one writer's pace, which alone decides how many events a taxel sends: it is
    compared with samples that have at most a third more or fewer events.

    Parameters
    ----------
    recording : structured array
    statistics : (n_samples, 6) array
        From `statistics_of`.
    n_samples : int
        The most to return, at even distances.

    Returns
    -------
    (n,) int array
        Indices.

    Raises
    ------
    DataError
        When no sample has so many events.
    """
    ratio = statistics[:, :2].sum(axis=1) / max(len(recording), 1)
    alike = np.flatnonzero((ratio > 3 / 4) & (ratio < 4 / 3))
    if len(alike) == 0:
        raise DataError(
            f"no simulated sample has about the recording's {len(recording)} events: "
            "simulate more samples"
        )
    return alike[np.unique(np.linspace(0, len(alike) - 1, n_samples).astype(int))]


def pace_check(source="parametric", n_train=3000, n_test=1500, seed=0, progress=None):
    """Measure what a classifier gains from the fitted pace of each digit.

    The pace makes the number of events tell the digit (see ``pace`` of
    `nengo_tactile.events.eskin.ESkinParameters`). Nearest neighbours are asked twice, on the
    numbers of ON and OFF events alone and on images normalised by their maximum, each with the
    fitted pace and with one pace for all digits.

    Parameters
    ----------
    source, seed
        As for `ESkin`.
    n_train, n_test : int
        Number of samples of each split.
    progress : bool, optional

    Returns
    -------
    dict of float
        Test accuracies: ``images_with_pace``, ``images_without_pace``, ``counts_with_pace``,
        ``counts_without_pace``; and ``images_trained_with_tested_without``: had the images
        leaned on the pace, it would fall.
    """
    image = TactileImage()
    features, labels = {}, {}
    for pace in ("with_pace", "without_pace"):
        for split, n_samples in (("train", n_train), ("test", n_test)):
            data = ESkin(source, split, n_samples, seed)
            if pace == "without_pace":
                data.parameters = data.parameters.without_pace()
            recordings = list(data.recordings(progress=progress))
            labels[split] = data.targets
            images = image.batch(recordings, progress=False)
            features["images", pace, split] = images.reshape(len(images), -1)
            on = np.array([np.count_nonzero(events["p"]) for events in recordings])
            size = np.array([len(events) for events in recordings])
            features["counts", pace, split] = np.log1p(np.stack([on, size - on], axis=1))

    def accuracy(kind, train, test):
        known, asked = features[kind, train, "train"], features[kind, test, "test"]
        return float(np.mean(_nearest(known, labels["train"], asked) == labels["test"]))

    result = {
        f"{kind}_{pace}": accuracy(kind, pace, pace)
        for kind in ("images", "counts")
        for pace in ("with_pace", "without_pace")
    }
    crossed = accuracy("images", "with_pace", "without_pace")
    return {**result, "images_trained_with_tested_without": crossed}


def _nearest(known, labels, asked, n_neighbours=5):
    """Most frequent label of the nearest neighbours; of equals the earlier and the smaller."""
    from scipy.spatial.distance import cdist

    nearest = cdist(asked, known).argsort(axis=1, kind="stable")[:, :n_neighbours]
    votes = labels[nearest][:, :, None] == np.arange(labels.max() + 1)
    return votes.sum(axis=1).argmax(axis=1)


def main(arguments=None):
    """Print the comparison: ``python tools/eskin_comparison.py --help``."""
    parser = argparse.ArgumentParser(prog="python tools/eskin_comparison.py")
    parser.add_argument("--source", default="parametric", help="'parametric' or pendigits path")
    parser.add_argument("--split", default="train", choices=("train", "test"))
    parser.add_argument("--samples", type=int, help="by default the whole split")
    parser.add_argument("--recording", help="one real ST-MNIST .mat file")
    parser.add_argument(
        "--pace-check", action="store_true", help="what classifiers gain from each digit's pace"
    )
    parser.add_argument("--out", type=Path, help="folder for comparison.json and .png")
    options = parser.parse_args(arguments)
    data = ESkin(options.source, options.split, options.samples)
    recording = read_spiketrain(options.recording) if options.recording else None
    result = compare_with_paper(data, recording)
    ours = {
        name: {kind: np.array(values) for kind, values in columns.items()}
        for name, columns in result["table1"].items()
    }
    print(f"{data.writing.name}, {data.split} split, {len(data)} samples")
    print(format_table1(ours, data.writing.name))
    if recording is not None:
        print(f"\nDistributions of {result['n_compared']} samples beside one real recording")
        print(format_distributions(result["distributions"]))
    if options.pace_check:
        result["pace_check"] = pace_check(options.source)
        print("\nTest accuracy of nearest neighbours")
        for name, value in result["pace_check"].items():
            print(f"  {name:<36}{value:.3f}")
    if options.out:
        write_json(options.out / "comparison.json", result)
        print(f"wrote {options.out / 'comparison.json'}")
    if options.out and recording is not None:
        alike = samples_like(recording, statistics_of(data), 300)
        figure = plot_distributions(data.recordings(alike), recording)
        with atomic_write(options.out / "comparison.png", "wb") as file:
            figure.savefig(file, format="png", dpi=120)
        print(f"wrote {options.out / 'comparison.png'}")


if __name__ == "__main__":
    main()
