"""NengoDL against plain Keras forward passes, measured in one run.

For each network and one minibatch: T forward passes of the Keras model; this toolkit's engine
for T steps, as `nengo_tactile.run` does it; the same with neurons that have a refractory time,
as after training with LIF rates; the same with NengoDL's default planner; and NengoDL as it
comes (``nengo_dl.Converter`` with spikes and its own defaults). The candidates take turns, so
that other load meets all of them; ratios are taken within each turn::

    python benchmarks/nengo_dl_speed.py --out nengo_dl_speed.json
"""

import argparse
import platform
import time
import warnings

import numpy as np
from rich.console import Console
from rich.table import Table

import nengo_tactile
from nengo_tactile import stack
from nengo_tactile.ann.notation import build
from nengo_tactile.conversion import convert
from nengo_tactile.engines import counting, nengo_dl
from nengo_tactile.files import write_json

NETWORKS = (
    "10x10-6c4-24c3-10o",
    "16x16-6c4-24c3-35o",
    "16x16x4-32c3s2-64c3-128-35o",
)
#: What a step may cost at most, in forward passes.
LIMIT = 3.5


def forward_passes(model, x, n_steps):
    """Return a function that runs T compiled forward passes of one minibatch."""
    tf = stack.tensorflow()
    compiled = tf.function(lambda batch: model(batch, training=False))
    batch = tf.constant(x)

    def work():
        for _ in range(n_steps):
            logits = compiled(batch)
        logits.numpy()

    return work


def engine(network, x, n_steps, planner):
    """Return what `nengo_tactile.engines.nengo_dl.run` does for one minibatch, and a closer."""
    built = counting.build_counting(network, len(x), planner)
    sim = stack.nengo_dl().Simulator(
        built.net, dt=network.dt, minibatch_size=len(x), progress_bar=False, seed=0
    )

    def work():
        built.drives.show(x)
        data = sim.predict_on_batch(n_steps=n_steps)
        nengo_dl._recording(network, built, data, network.stages[-1].bias[None, None], len(x))

    return work, sim.close


def as_it_comes(model, x, n_steps):
    """Return the same for a network straight from ``nengo_dl.Converter``, and a closer."""
    import nengo

    tf = stack.tensorflow()
    dl = stack.nengo_dl()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converter = dl.Converter(
            model,
            swap_activations={tf.keras.activations.relu: nengo.SpikingRectifiedLinear()},
            scale_firing_rates=100,
            synapse=0.005,
        )
        sim = dl.Simulator(converter.net, minibatch_size=len(x), progress_bar=False, seed=0)
    node = converter.inputs[model.inputs[0]]

    def work():
        repeated = np.repeat(x.reshape(len(x), 1, -1), n_steps, axis=1)
        sim.predict_on_batch({node: repeated})

    return work, sim.close


def measure(notation, batch_size, n_steps, repeats):
    """Seconds per turn and candidate, {candidate: (repeats,) array}."""
    import nengo

    rng = np.random.default_rng(0)
    model = build(notation)
    x = rng.random((batch_size, *model.input_shape[1:]), dtype=np.float32)
    settings = {"synapse": 0.005, "n_steps": n_steps}
    network = convert(model, x, max_rate=500.0, **settings)
    refractory = convert(model, x, max_rate=250.0, neuron=nengo.LIF(), **settings)
    candidates, closers = {"Keras": forward_passes(model, x, n_steps)}, []
    with stack.quiet_build():
        for name, converted, planner in (
            ("engine", network, "noop"),
            ("with tau_ref", refractory, "noop"),
            ("default planner", network, "default"),
        ):
            candidates[name], close = engine(converted, x, n_steps, planner)
            closers.append(close)
        candidates["as it comes"], close = as_it_comes(model, x, n_steps)
        closers.append(close)
        for work in candidates.values():  # traces and compiles
            work()
        seconds = {name: np.zeros(repeats) for name in candidates}
        for turn in range(repeats):
            for name, work in candidates.items():
                start = time.perf_counter()
                work()
                seconds[name][turn] = time.perf_counter() - start
    for close in closers:
        close()
    return seconds


def main():
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=nengo_dl.LARGEST_BATCH, help="minibatch")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    table = Table(
        title=f"{options.steps} steps of {options.samples} samples, in units of as many Keras "
        f"forward passes: median (range) of {options.repeats} turns"
    )
    table.add_column("network", overflow="fold")
    for title in (
        "engine",
        "with tau_ref",
        "default planner",
        "as it comes",
        "engine, samples / s",
    ):
        table.add_column(title, justify="right")
    rows = []
    for notation in options.networks:
        seconds = measure(notation, options.samples, options.steps, options.repeats)
        ratios = {name: s / seconds["Keras"] for name, s in seconds.items() if name != "Keras"}
        rate = options.samples / np.median(seconds["engine"])
        rows.append(
            {
                "network": notation,
                "seconds": {name: s.tolist() for name, s in seconds.items()},
                "median_ratio": {name: float(np.median(r)) for name, r in ratios.items()},
                "engine_samples_per_second": rate,
                "within_limit": all(
                    bool(np.median(ratios[name]) <= LIMIT) for name in ("engine", "with tau_ref")
                ),
            }
        )
        table.add_row(
            notation,
            *(f"{np.median(r):.2f} ({r.min():.2f}-{r.max():.2f})" for r in ratios.values()),
            f"{rate:.0f}",
        )
    Console(width=120).print(table)
    if options.out:
        about = {
            "limit": LIMIT,
            "n_steps": options.steps,
            "n_samples": options.samples,
            "nengo_tactile": nengo_tactile.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "threads": stack.tensorflow().config.threading.get_intra_op_parallelism_threads(),
        }
        write_json(options.out, {**about, "rows": rows})


if __name__ == "__main__":
    main()
