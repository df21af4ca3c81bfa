"""What the benchmarks of the NengoDL engine share: the candidates, and measuring them in turns.

A candidate is a function that does the work of one minibatch. Candidates take turns, so that other
load meets all of them; ratios to plain Keras forward passes are taken within each turn.
"""

import platform
import time
import warnings

import numpy as np

import nengo_tactile
from nengo_tactile import stack
from nengo_tactile.engines import counting, nengo_dl

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


def engine(network, x, n_steps, planner="noop"):
    """Return what `nengo_tactile.engines.nengo_dl.run` does for one minibatch, and a closer."""
    built = counting.build_counting(network, len(x), planner)
    sim = stack.nengo_dl().Simulator(
        built.net, dt=network.dt, minibatch_size=len(x), progress_bar=False, seed=0
    )

    def work():
        constants = built.show(x)
        data = sim.predict_on_batch(n_steps=n_steps)
        nengo_dl._recording(network, built, data, len(x), constants[:, None])

    return work, sim.close


def as_it_comes(model, x, n_steps, **options):
    """Return the same for ``nengo_dl.Converter`` with spikes and these options, and a closer."""
    import nengo

    tf, dl = stack.tensorflow(), stack.nengo_dl()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        swap = {tf.keras.activations.relu: nengo.SpikingRectifiedLinear()}
        converter = dl.Converter(model, swap_activations=swap, **options)
        sim = dl.Simulator(converter.net, minibatch_size=len(x), progress_bar=False, seed=0)
    node = converter.inputs[model.inputs[0]]

    def work():
        sim.predict_on_batch({node: np.repeat(x.reshape(len(x), 1, -1), n_steps, axis=1)})

    return work, sim.close


def measure(candidates, repeats, clock=time.perf_counter):
    """Seconds of each candidate in each turn, {name: (repeats,) array}, after a turn to warm up.

    A ``clock`` that returns an array, of several clocks at once, gives (repeats, n_clocks) arrays.
    """
    for work in candidates.values():  # traces and compiles
        work()
    seconds = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, work in candidates.items():
            start = clock()
            work()
            seconds[name].append(clock() - start)
    return {name: np.array(turns) for name, turns in seconds.items()}


def ratios(seconds):
    """Seconds of each other candidate in units of those of "Keras", turn by turn."""
    return {name: s / seconds["Keras"] for name, s in seconds.items() if name != "Keras"}


def median_and_range(ratio):
    """Write the ratios of all turns in a table."""
    return f"{np.median(ratio):.2f} ({ratio.min():.2f}-{ratio.max():.2f})"


def as_json(seconds):
    """The seconds and the median ratios, for a JSON file."""
    return {
        "seconds": {name: s.tolist() for name, s in seconds.items()},
        "median_ratio": {name: float(np.median(r)) for name, r in ratios(seconds).items()},
    }


def machine():
    """What the numbers depend on besides the options, for a JSON file."""
    return {
        "limit": LIMIT,
        "nengo_tactile": nengo_tactile.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": stack.tensorflow().config.threading.get_intra_op_parallelism_threads(),
    }
