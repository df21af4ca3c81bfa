"""Braille's pickles as plain arrays, where they hold tables of pandas.

    python tools/braille_arrays.py data_braille_letters_th_1.pkl ...

Writes ``data_braille_letters_th_1.npz`` beside each, which `nengo_tactile.datasets.Braille` reads.
**Unpickling runs whatever a file says**: for files that you trust, such as those of Zenodo record
7050094 with the checksum that stands there. Wants pandas (pip install pandas).
"""

import argparse
import pickle
from pathlib import Path

import numpy as np

from nengo_tactile.files import write_npz


def arrays_of(table):
    """Arrays of a table (or list, or dict) of samples.

    Parameters
    ----------
    table : pandas.DataFrame, dict or list of dict
        With "letter" and "events": for each taxel times of ON, and of OFF, events in seconds.

    Returns
    -------
    dict of str to array
        letter, offsets; and time_s, taxel, on of all events, sample after sample.
    """
    if isinstance(table, list):
        table = {name: [sample[name] for sample in table] for name in ("letter", "events")}
    times, taxels, on, offsets = [], [], [], [0]
    for sample in table["events"]:
        for taxel, polarities in enumerate(sample):
            for rises, values in zip((True, False), polarities):
                times.extend(values)
                taxels.extend([taxel] * len(values))
                on.extend([rises] * len(values))
        offsets.append(len(times))
    return {
        "letter": np.array([str(letter) for letter in table["letter"]]),
        "offsets": np.array(offsets, np.int64),
        "time_s": np.array(times, np.float64),
        "taxel": np.array(taxels, np.uint8),
        "on": np.array(on, bool),
    }


def main(arguments=None):
    """Convert the files named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    for path in parser.parse_args(arguments).files:
        with open(path, "rb") as file:
            table = pickle.load(file)
        stem = path.stem if path.suffix == ".pkl" else path.name
        out = path.with_name(f"{stem}.npz")
        write_npz(out, arrays_of(table))
        print(f"wrote {out}")


if __name__ == "__main__":
    main()
