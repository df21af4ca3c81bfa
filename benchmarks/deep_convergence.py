"""Does a deep converted network come closer to its ANN the longer it runs?

A chain of convolutions with ReLU and random weights, whose activations are scaled to at most one
per layer (the given percentile over the samples shown), runs as four spiking networks:

* as NengoDL users convert it: ``nengo_dl.Converter`` with `nengo.SpikingRectifiedLinear`, an
  activation of one firing at every step, without filters;
* the same with a filter of 5 ms on every connection;
* with this toolkit's `IntegrateFire`, without filters;
* with `IntegrateFire` that gets the current's positive part only, to find the cause.

Each is read as the mean of its logits over the steps so far. The error is the root mean square
difference from the ANN's logits, relative to their standard deviation over the samples (so that
1 is as bad as giving every sample the same answer)::

    python benchmarks/deep_convergence.py --out deep_convergence.json
"""

import argparse
import platform
import warnings

import nengo
import numpy as np
from rich.console import Console
from rich.table import Table

import nengo_tactile
from nengo_tactile import stack
from nengo_tactile.files import write_json

DT = 0.001


def random_network(depth, channels, side, seed):
    """A chain of ``depth - 1`` 3 x 3 convolutions and a dense read-out."""
    tf = stack.tensorflow()
    layers, initial = tf.keras.layers, tf.keras.initializers
    x = inputs = layers.Input((side, side, channels))
    for i in range(depth - 1):
        x = layers.Conv2D(
            channels,
            3,
            padding="same",
            activation="relu",
            kernel_initializer=initial.HeNormal(1000 * seed + i),
            bias_initializer=initial.RandomNormal(stddev=0.1, seed=1000 * seed + 500 + i),
            name=f"conv{i}",
        )(x)
    x = layers.Flatten()(x)
    x = layers.Dense(10, kernel_initializer=initial.HeNormal(1000 * seed + 999), name="out")(x)
    return tf.keras.Model(inputs, x)


def normalise(model, x, percentile):
    """Scale weights in place: activations are at most one, logits have standard deviation one."""
    tf = stack.tensorflow()
    layers = [layer for layer in model.layers if layer.weights]
    outputs = tf.keras.Model(model.input, [layer.output for layer in layers]).predict(x, verbose=0)
    scales = [np.percentile(output, percentile) for output in outputs[:-1]]
    scales.append(outputs[-1].std(axis=0).mean())
    before = 1.0
    for layer, scale in zip(layers, scales):
        kernel, bias = layer.get_weights()
        layer.set_weights([kernel * before / scale, bias / scale])
        before = scale


def run(net, node, probe, x, n_steps):
    """Logits at each step, (samples, steps, outputs), with NengoDL."""
    dl = stack.nengo_dl()
    with net:
        dl.configure_settings(
            stateful=False,
            inference_only=True,
            planner=dl.graph_optimizer.noop_planner,
        )
    with dl.Simulator(net, dt=DT, minibatch_size=len(x), progress_bar=False, seed=0) as sim:
        repeated = np.repeat(x.reshape(len(x), 1, -1), n_steps, axis=1)
        return sim.predict_on_batch({node: repeated})[probe]


def with_converter(model, x, n_steps, synapse):
    """NengoDL's own conversion; an activation of one is a spike at every step."""
    tf, dl = stack.tensorflow(), stack.nengo_dl()
    converter = dl.Converter(
        model,
        swap_activations={tf.keras.activations.relu: nengo.SpikingRectifiedLinear()},
        scale_firing_rates=1 / DT,
        synapse=synapse,
        allow_fallback=False,
    )
    converter.net.seed = 0  # of the potentials at the start
    node = converter.inputs[model.inputs[0]]
    return run(converter.net, node, converter.outputs[model.outputs[0]], x, n_steps)


def rectified_type():
    """`IntegrateFire` that drops negative current, as `nengo.SpikingRectifiedLinear` does."""
    from nengo_tactile.neurons.integrate_fire import IntegrateFire, IntegrateFireBuilder

    class Rectified(IntegrateFire):
        def step(self, dt, J, output, voltage, spike_count):
            super().step(dt, np.maximum(J, 0), output, voltage, spike_count)

    class RectifiedBuilder(IntegrateFireBuilder):
        def step(self, J, dt, voltage, spike_count):
            return super().step(stack.tensorflow().nn.relu(J), dt, voltage, spike_count)

    builders = stack.nengo_dl().neuron_builders.SimNeuronsBuilder.TF_NEURON_IMPL
    builders[Rectified] = RectifiedBuilder
    return Rectified


def with_integrate_fire(model, x, n_steps, neuron_type):
    """The same chain by hand; spikes are ones."""
    with nengo.Network(seed=0) as net:
        before = node = nengo.Node(np.zeros(x[0].size))
        for layer in model.layers:
            if not layer.weights:
                continue
            kernel, bias = layer.get_weights()
            if layer.name == "out":
                transform = kernel.T
                post = nengo.Node(size_in=len(bias))
                nengo.Connection(nengo.Node(bias), post, synapse=None)
            else:
                transform = nengo.Convolution(
                    kernel.shape[-1], layer.input_shape[1:], padding="same", init=kernel
                )
                n = transform.output_shape.size
                post = nengo.Ensemble(
                    n,
                    1,
                    neuron_type=neuron_type(1 / DT, amplitude=DT),
                    gain=np.ones(n),
                    bias=np.resize(bias, n),
                ).neurons
            nengo.Connection(before, post, transform=transform, synapse=None)
            before = post
        probe = nengo.Probe(before)
    return run(net, node, probe, x, n_steps)


def errors(logits, wanted, steps):
    """Relative error of the mean over the first t steps, for each t in ``steps``."""
    means = [logits[:, :t].mean(axis=1, dtype=float) for t in steps]
    return [float(np.sqrt(np.mean((mean - wanted) ** 2)) / spread(wanted)) for mean in means]


def spread(logits):
    """Standard deviation over samples, root mean square over outputs."""
    return float(np.sqrt(logits.var(axis=0).mean()))


def measure(options, seed):
    """Errors of the four networks for one set of random weights, {name: list over steps}."""
    from nengo_tactile.neurons.integrate_fire import IntegrateFire

    rng = np.random.default_rng(seed)
    x = rng.random((options.samples, options.side, options.side, options.channels), np.float32)
    model = random_network(options.depth, options.channels, options.side, seed)
    normalise(model, x, options.percentile)
    wanted = model.predict(x, verbose=0)
    n_steps = max(options.steps)
    with stack.quiet_build(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the Converter's advice on activations and synapses
        logits = {
            "Converter": with_converter(model, x, n_steps, None),
            "Converter, 5 ms": with_converter(model, x, n_steps, 0.005),
            "IntegrateFire": with_integrate_fire(model, x, n_steps, IntegrateFire),
            "rectified": with_integrate_fire(model, x, n_steps, rectified_type()),
        }
    return {name: errors(values, wanted, options.steps) for name, values in logits.items()}


def main():
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--depth", type=int, default=12, help="layers with weights")
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--side", type=int, default=10, help="height and width")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument(
        "--steps", type=int, nargs="+", default=[16, 32, 64, 128, 256, 512, 1024, 2048]
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--percentile", type=float, default=100.0)
    parser.add_argument("--out", help="JSON file")
    options = parser.parse_args()
    found = [measure(options, seed) for seed in options.seeds]
    by_name = {name: np.array([run[name] for run in found]) for name in found[0]}
    # the exponent p of error ~ steps ** p
    slopes = {
        name: np.polyfit(np.log(options.steps), np.log(e.mean(axis=0)), 1)[0]
        for name, e in by_name.items()
    }
    table = Table(
        title=f"Read-out error of {options.depth} layers: mean (range) of "
        f"{len(options.seeds)} random networks"
    )
    table.add_column("steps", justify="right")
    for name in by_name:
        table.add_column(name, justify="right")
    for i, n_steps in enumerate(options.steps):
        cells = (
            f"{e[:, i].mean():.3f} ({e[:, i].min():.3f}-{e[:, i].max():.3f})"
            for e in by_name.values()
        )
        table.add_row(str(n_steps), *cells)
    table.add_row("slope", *(f"{slope:.2f}" for slope in slopes.values()))
    Console(width=120).print(table)
    if options.out:
        about = {
            **{k: v for k, v in vars(options).items() if k != "out"},
            "nengo_tactile": nengo_tactile.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
        }
        rows = {name: e.tolist() for name, e in by_name.items()}
        write_json(options.out, {**about, "errors": rows, "slopes": slopes})


if __name__ == "__main__":
    main()
