"""What dead taxels cost networks trained on spikes, and what training with dead taxels wins back.

``python benchmarks/dead_taxels.py DATA --out FOLDER``: the reproduction's network for Ev-Objects
(78-512-36 with delays of axons, spikemax_s), trained on recordings as they are and with dead
taxels, up to a share of them, drawn anew for each recording in each epoch. The share is chosen on a
fifth of the 576 training recordings that networks of the others (seed 0) have not seen, with a
tenth of the taxels dead; then networks of seeds 0 to 4 are trained on all of them. The 144 test
recordings are read as they are and with a share of the taxels dead. Five skins for each recording,
everywhere. An interrupted run goes on. Prints tables and writes FOLDER/results.json; docs/touch.md
has them.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import nengo_tactile as nt
from nengo_tactile import files, slayer
from nengo_tactile.analysis import accuracy_interval
from nengo_tactile.commands import robustness
from nengo_tactile.datasets.registry import open_dataset
from nengo_tactile.datasets.splits import stratified_folds
from nengo_tactile.papers.spikemax.plan import SETTINGS, make_loss

SETTING, LOSS = SETTINGS["ev-objects"], "spikemax_s"
N_SEEDS, N_SKINS, N_FOLDS = 5, 5, 5
#: Largest shares of dead taxels in training; 0 is as recorded. With 0.4 a recording is emptied.
SHARES = (0.0, 0.1, 0.2)
#: The share of dead taxels that matters.
DEAD = 0.1


def trained(place, share, seed, data, taxels):
    """The network of a share of dead taxels and a seed; trained if it is not there."""
    if not place.exists():
        checkpoint = place.with_name(f"{place.name}.checkpoint.npz")
        network = slayer.fit(
            SETTING.network, data, make_loss(LOSS, SETTING), SETTING.layout, SETTING.neuron,
            SETTING.recipe, augmentation=nt.events.Disturbance(dead=share) if share else None,
            taxels=taxels, seed=seed, surrogate=SETTING.surrogate, dropout=SETTING.dropout,
            max_delay=SETTING.max_delay, progress=False, checkpoint=checkpoint,
        )  # fmt: skip
        network.save(place)
        checkpoint.unlink()
    return nt.load(place)


def measured(place, network, data, indices=None):
    """Accuracy of the network in a folder by share of dead taxels, the mean over skins."""
    place = place.with_name(f"{place.name}.json")
    if not place.exists():
        found = {}
        for skin in range(N_SKINS):
            for row in robustness.measure(network, data, indices, kinds=("dead",), seed=skin):
                found.setdefault(str(row["level"] or 0), []).append(row["accuracy"])
        with files.atomic_write(place) as file:
            json.dump(found, file)
    return {level: float(np.mean(skins)) for level, skins in json.loads(place.read_text()).items()}


def held_out(folder, data):
    """Accuracies on held-out training recordings by share of dead taxels in training."""
    recordings, found = [data[i] for i in range(len(data))], {}
    train, held = stratified_folds(np.asarray(data.targets), N_FOLDS, 0)[0]
    for share in SHARES:
        place = folder / f"held-out-{share:g}"
        network = trained(place, share, 0, [recordings[i] for i in train], data.taxels)
        found[share] = measured(place, network, data, held)
        print(f"trained with up to {share:g} dead, held out: {told(found[share])}", flush=True)
    return found


def told(levels):
    """Accuracies by share of dead taxels, as a line."""
    return ", ".join(f"{level} dead {100 * value:.2f} %" for level, value in levels.items())


def table(plain, made, n_test):
    """A row for each share of dead taxels: mean and deviation of both kinds of networks."""
    rows, before = [], np.mean([one["0"] for one in plain])
    for level in plain[0]:
        sides = [100 * np.array([one[level] for one in side]) for side in (plain, made)]
        means, deviations = [side.mean() for side in sides], [side.std(ddof=1) for side in sides]
        rows.append(
            {
                "dead": float(level),
                "as_recorded": means[0],
                "as_recorded_sd": deviations[0],
                "with_dead": means[1],
                "with_dead_sd": deviations[1],
                "with_dead_interval": accuracy_interval(means[1] / 100, n_test),
                "lost": 100 * before - means[0],
                "won_back": means[1] - means[0],
            }
        )
        print(
            f"{level} dead: {means[0]:.2f} ({deviations[0]:.2f}), trained with dead taxels "
            f"{means[1]:.2f} ({deviations[1]:.2f}); lost {rows[-1]['lost']:.2f}, won back "
            f"{rows[-1]['won_back']:.2f}"
        )
    return rows


def main():
    """Choose a share, train with it and without, and print what both come to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of recordings")
    parser.add_argument("--out", type=Path, required=True, help="folder for networks and results")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    train, test = (open_dataset("ev-objects", split, chosen.data) for split in ("train", "test"))
    tried = held_out(chosen.out, train)
    best = max(SHARES[1:], key=lambda share: tried[share][str(DEAD)])
    sides = {0.0: [], best: []}
    for seed in range(N_SEEDS):
        for share, found in sides.items():
            place = chosen.out / f"dead-{share:g}-{seed}"
            network = trained(place, share, seed, train, train.taxels)
            found.append(measured(place, network, test))
            print(f"{place.name}: {told(found[-1])}", flush=True)
    rows = table(*sides.values(), len(test))
    result = {
        "command": "python benchmarks/dead_taxels.py DATA --out FOLDER",
        "n_test": len(test),
        "n_skins": N_SKINS,
        "seeds": list(range(N_SEEDS)),
        "held_out": {f"{share:g}": levels for share, levels in tried.items()},
        "chosen": best,
        "rows": rows,
    }
    with files.atomic_write(chosen.out / "results.json") as file:
        json.dump(result, file, indent=1)


if __name__ == "__main__":
    main()
