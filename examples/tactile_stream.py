"""A tactile recording as a stream: what sigma-delta neurons cost that send only changes.

    python examples/tactile_stream.py --data-dir DATA --out stream.json
    python examples/tactile_stream.py --task eskin

A small network learns to tell letters (STEMNIST, recorded) or digits (eskin, simulated) from what
has been written so far. Then test recordings are shown to it frame by frame as they are written:
once with each frame from the beginning, and once keeping state, so that only changes are sent.
"""

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table

import nengo_tactile as nt
from nengo_tactile.ann import notation
from nengo_tactile.ann.training import Recipe, predict, train
from nengo_tactile.engines.event import run_streams
from nengo_tactile.events.coding import CurrentCoding
from nengo_tactile.files import write_json

LAYERS = "16c3s2-32c3-64"
#: Events of a taxel that are told apart.
MOST_EVENTS = 4
DURATION_US = 2_000_000
#: Frames a second of the streams that are compared.
RATES = (10, 20, 50)


def streams_of(dataset, indices, n_frames):
    """What was written up to each of ``n_frames`` moments, and labels.

    Returns
    -------
    x : (n_streams, n_frames, height, width, 1) float32 array, between 0 and 1
    y : (n_streams,) int array
    """
    width, height = dataset.sensor_size[:2]
    x, y = np.zeros((len(indices), n_frames, height, width, 1), np.float32), []
    for stream, index in zip(x, indices):
        events, label = dataset[int(index)]
        frame = np.minimum(events["t"] * n_frames // DURATION_US, n_frames - 1)
        np.add.at(stream, (frame, events["y"], events["x"], 0), 1)
        y.append(label)
    return np.minimum(np.cumsum(x, axis=1), MOST_EVENTS) / MOST_EVENTS, np.array(y)


def trained(task, data_dir, n_train, epochs, seed):
    """A network that has seen recordings whole, and in the middle of being written.

    Returns
    -------
    model : tf.keras.Model
    x, y : arrays
        Images of a tenth of the recordings, on which it was not trained.
    """
    dataset = nt.datasets.open_dataset(task, split="train", data_dir=data_dir)
    rng = np.random.default_rng(seed)
    indices = rng.permutation(len(dataset))[:n_train]
    x, y = streams_of(dataset, indices, 8)
    middle = x[np.arange(len(x)), rng.integers(3, 8, len(x))]
    x, y = np.stack([x[:, -1], middle], axis=1), np.stack([y, y], axis=1)
    kept = len(x) // 10
    x, y, kept_x, kept_y = (
        array.reshape(-1, *array.shape[2:]) for array in (x[kept:], y[kept:], x[:kept], y[:kept])
    )
    layers = f"{LAYERS}-{len(dataset.classes)}o"
    model = notation.build(notation.notation_for(x.shape[1:], layers), seed=seed)
    train(model, (x, y), Recipe(epochs=epochs), seed)
    return model, kept_x, kept_y


def row_of(model, network, x, y, rate, input_threshold):
    """A line of the table: the same frames with and without state."""
    n_streams, n_frames = x.shape[:2]
    alone, kept = (
        run_streams(network, x, input_threshold=input_threshold, keep_state=keep)
        for keep in (False, True)
    )
    winners = [one.predictions()[:, -1].reshape(n_streams, n_frames) for one in (alone, kept)]
    keras = predict(model, x.reshape(-1, *x.shape[2:])).argmax(axis=1).reshape(n_streams, n_frames)
    written = x.reshape(n_streams, n_frames, -1).any(axis=2)  # the finger has touched the skin
    costs = [sum(one.synops.values()).reshape(n_streams, n_frames) for one in (alone, kept)]
    spikes = [sum(map(np.sum, one.spikes_over_time.values())) / len(x) for one in (alone, kept)]
    return {
        "frames_per_second": rate,
        "frames": n_frames,
        "synops_per_recording": {
            "frame by frame": float(costs[0].sum(axis=1).mean()),
            "stream": float(costs[1].sum(axis=1).mean()),
        },
        "spikes_per_recording": {"frame by frame": float(spikes[0]), "stream": float(spikes[1])},
        "times_fewer_synops": float(costs[0].sum() / costs[1].sum()),
        "winner_of_keras": {
            "frame by frame": float((winners[0] == keras)[written].mean()),
            "stream": float((winners[1] == keras)[written].mean()),
        },
        "accuracy": {
            "Keras": float((keras[:, -1] == y).mean()),
            "frame by frame": float((winners[0][:, -1] == y).mean()),
            "stream": float((winners[1][:, -1] == y).mean()),
        },
        "macs_keras": int(n_frames * sum(map(np.sum, network.graph.fan_out().values()))),
    }


def table_of(rows, title):
    """The rows, for people."""
    table = Table(title=title, title_justify="left")
    columns = ("frames/s", "MACs of the Keras model", "synops frame by frame", "synops as a stream")
    more = ("times fewer", "winner of Keras", "as a stream")
    for column in (*columns, *more, "accuracy of Keras", "frame by frame", "as a stream"):
        table.add_column(column, justify="right", overflow="fold")
    for row in rows:
        synops, accuracy = row["synops_per_recording"], row["accuracy"]
        winner = row["winner_of_keras"]
        table.add_row(
            f"{row['frames_per_second']}",
            f"{row['macs_keras'] / 1e6:.1f} M",
            f"{synops['frame by frame'] / 1e3:.0f} k",
            f"{synops['stream'] / 1e3:.0f} k",
            f"{row['times_fewer_synops']:.1f}",
            *(f"{winner[name]:.1%}" for name in ("frame by frame", "stream")),
            *(f"{accuracy[name]:.1%}" for name in ("Keras", "frame by frame", "stream")),
        )
    return table


def main(arguments=None):
    """Train, convert, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=("stemnist", "eskin"), default="stemnist")
    parser.add_argument("--data-dir", help="folder of the recordings")
    parser.add_argument("--train", type=int, default=5390, help="training recordings at most")
    parser.add_argument("--streams", type=int, default=200, help="test recordings")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--max-loss", type=float, default=0.5, help="points, see convert")
    parser.add_argument("--input-threshold", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args(arguments)
    model, x, y = trained(
        options.task, options.data_dir, options.train, options.epochs, options.seed
    )
    network = nt.convert(
        model, x, nt.SigmaDelta(max_loss=options.max_loss, coding=CurrentCoding(4)), labels=y
    )
    dataset = nt.datasets.open_dataset(options.task, split="test", data_dir=options.data_dir)
    rng = np.random.default_rng(options.seed)
    indices = rng.permutation(len(dataset))[: options.streams]
    rows = []
    for rate in RATES:
        streams, labels = streams_of(dataset, indices, rate * DURATION_US // 1_000_000)
        rows.append(row_of(model, network, streams, labels, rate, options.input_threshold))
    title = f"{len(indices)} recordings of {options.task}, {DURATION_US / 1e6:g} s each: operations"
    Console(width=140).print(table_of(rows, title))
    if options.out:
        thresholds = {s.name: s.neuron.threshold for s in network.graph if s.fires}
        about = {"task": options.task, "streams": len(indices), "thresholds": thresholds}
        settings = {name: v for name, v in vars(options).items() if name not in ("data_dir", "out")}
        write_json(options.out, {**settings, **about, "rows": rows})


if __name__ == "__main__":
    main()
