"""Seconds of an epoch of training, and memory, of SLAYER networks here and in other libraries.

``python benchmarks/slayer_speed.py [--peers PYTHON] [--networks NAMES] [--turns N] [--out FILE]``

PYTHON is the interpreter of an environment with torch, and with snntorch and spikingjelly for
these two; none is needed otherwise. Networks have the same layers, batch, steps, events and number
of threads, and are trained with Adam on a rate loss, each with the neuron that its library has
nearest: spike response neurons here, current-based leaky ones (`Synaptic`) in snnTorch, leaky ones
in spikingjelly's multi-step mode. "torch loop" is current-based leaky neurons written down in
torch, step by step, with autograd. Libraries take turns, each in a process of its own, so that peak
memory is each one's.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

#: Name -> network in the papers' notation, batch, steps, share of the inputs with an event a step.
NETWORKS = {
    "dense": ("78-256-36", 16, 250, 0.13),
    "tactile": ("10x10x2-6c2-24c3-10o", 32, 200, 0.01),
    "camera": ("34x34x2-16c5-2a-32c3-2a-64c3-512-10", 4, 300, 0.006),
}
#: Samples of an epoch: Ev-Objects, the e-skin, the recordings of N-MNIST at hand.
SAMPLES = {"dense": 576, "tactile": 7494, "camera": 1000}
LIBRARIES = ("nengo-tactile", "torch-loop", "snntorch", "spikingjelly")
N_STEPS = 5


def draw(shape, batch, n_steps, share, seed=0):
    """Events at random, (batch, n_steps, *shape) float32."""
    rng = np.random.default_rng(seed)
    return (rng.random((batch, n_steps, *shape)) < share).astype(np.float32)


def layers_of(notation):
    """Input shape (channels last), and layers as (kind, units, size)."""
    head, *tokens = notation.split("-")
    shape, layers = tuple(int(n) for n in head.split("x")), []
    for token in tokens:
        if "c" in token:
            units, size = token.split("c")
            layers.append(("conv", int(units), int(size)))
        elif token.endswith("a"):
            layers.append(("pool", 0, int(token[:-1])))
        else:
            layers.append(("dense", int(token.rstrip("o")), 0))
    return shape, layers


def ours(notation, batch, n_steps, share):
    """A function that trains one minibatch here."""
    from nengo_tactile.slayer import SpikeRate, SpikeResponseModel, build, dynamics

    tf = dynamics.tf
    tf.config.threading.set_intra_op_parallelism_threads(os.cpu_count())
    model = build(notation, SpikeResponseModel(5, 5), padding="same", max_delay=0)
    model.compile(tf.keras.optimizers.Adam(1e-3), SpikeRate(0.2, 0.04))
    x = tf.constant(draw(model.input_shape[2:], batch, n_steps, share))
    y = tf.constant(np.arange(batch) % model.output_shape[-1])

    def work():
        model.train_on_batch(x, y)

    return work


def torch_parts(notation, neuron):
    """Layers of the network in torch: for each step a list of (map, neuron)."""
    from torch import nn

    shape, layers = layers_of(notation)
    channels, side, parts = shape[-1], shape[0], []
    features = int(np.prod(shape))
    for kind, units, size in layers:
        if kind == "conv":
            # padded on one side where the kernel is even, as in Keras
            low = (size - 1) // 2
            pad = nn.ZeroPad2d((low, size - 1 - low, low, size - 1 - low))
            conv = nn.Conv2d(channels, units, size, bias=False)
            parts.append((nn.Sequential(pad, conv), neuron()))
            channels, features = units, units * side * side
        elif kind == "pool":
            parts.append((nn.AvgPool2d(size), neuron()))
            side //= size
            features = channels * side * side
        else:
            parts.append(
                (nn.Sequential(nn.Flatten(), nn.Linear(features, units, bias=False)), neuron())
            )
            features = units
    return shape, parts


def torch_step(network, parameters, x, n_classes, forward):
    """A function that trains one minibatch in torch, from the spikes' rate."""
    import torch

    optimizer = torch.optim.Adam(parameters, 1e-3)
    labels = torch.arange(x.shape[1]) % n_classes
    target = 0.04 + 0.16 * torch.nn.functional.one_hot(labels, n_classes)

    def work():
        optimizer.zero_grad()
        loss = ((forward(network, x).mean(0) - target) ** 2).sum()
        loss.backward()
        optimizer.step()

    return work


def torch_input(shape, batch, n_steps, share):
    """Events as torch has them, (n_steps, batch, channels, height, width) or (..., channels)."""
    import torch

    x = np.moveaxis(draw(shape, batch, n_steps, share), 1, 0)
    if len(shape) == 3:
        x = np.moveaxis(x, -1, 2)
    return torch.from_numpy(np.ascontiguousarray(x))


def torch_loop(notation, batch, n_steps, share):
    """A function that trains one minibatch of current-based neurons, step by step in torch."""
    import torch

    class Fire(torch.autograd.Function):
        @staticmethod
        def forward(context, potential):
            context.save_for_backward(potential)
            return (potential >= 1).float()

        @staticmethod
        def backward(context, error):
            (potential,) = context.saved_tensors
            return error * torch.exp(-(potential - 1).abs())

    shape, parts = torch_parts(notation, torch.nn.Identity)
    network = torch.nn.ModuleList([linear for linear, _ in parts])

    def forward(network, x):
        states, outputs = [(0.0, 0.0)] * len(network), []
        for spikes in x:
            for number, linear in enumerate(network):
                current, voltage = states[number]
                current = 0.8 * current + linear(spikes)
                voltage = 0.8 * voltage + current
                spikes = Fire.apply(voltage)
                states[number] = current, voltage * (1 - spikes.detach())
            outputs.append(spikes)
        return torch.stack(outputs)

    x = torch_input(shape, batch, n_steps, share)
    n_classes = parts[-1][0][-1].out_features
    return torch_step(network, network.parameters(), x, n_classes, forward)


def snntorch(notation, batch, n_steps, share):
    """A function that trains one minibatch in snnTorch."""
    import snntorch
    from torch import nn, stack

    shape, parts = torch_parts(
        notation, lambda: snntorch.Synaptic(alpha=0.8, beta=0.8, init_hidden=True)
    )
    network = nn.ModuleList([nn.ModuleList(part) for part in parts])

    def forward(network, x):
        for _, neuron in network:
            neuron.reset_hidden()
        outputs = []
        for spikes in x:
            for linear, neuron in network:
                spikes = neuron(linear(spikes))
            outputs.append(spikes)
        return stack(outputs)

    x = torch_input(shape, batch, n_steps, share)
    n_classes = parts[-1][0][-1].out_features
    return torch_step(network, network.parameters(), x, n_classes, forward)


def spikingjelly(notation, batch, n_steps, share):
    """A function that trains one minibatch in spikingjelly."""
    from spikingjelly.activation_based import functional, layer, neuron, surrogate
    from torch import nn

    def lif():
        return neuron.LIFNode(tau=5.0, surrogate_function=surrogate.ATan(), step_mode="m")

    shape, parts = torch_parts(notation, lif)
    network = nn.Sequential(
        *(p for linear, lif in parts for p in (layer.SeqToANNContainer(linear), lif))
    )

    def forward(network, x):
        functional.reset_net(network)
        return network(x)

    x = torch_input(shape, batch, n_steps, share)
    n_classes = parts[-1][0][-1].out_features
    return torch_step(network, network.parameters(), x, n_classes, forward)


def measure(library, name):
    """Seconds of each step after the first, which compiles, also of processors; peak memory."""
    if library != "nengo-tactile":
        import torch

        torch.set_num_threads(os.cpu_count())
    makers = (ours, torch_loop, snntorch, spikingjelly)
    work = dict(zip(LIBRARIES, makers))[library](*NETWORKS[name])
    began = time.perf_counter()
    work()
    first, seconds, busy = time.perf_counter() - began, [], []
    for _ in range(N_STEPS):
        began, before = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - began)
        busy.append(time.process_time() - before)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"first": first, "seconds": seconds, "processor_seconds": busy, "peak_bytes": peak}


def in_process(python, library, name):
    """`measure` in a process of its own."""
    command = [python, str(Path(__file__).resolve()), "--measure", library, "--networks", name]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise SystemExit(f"{library}, {name}: {found.stderr.strip().splitlines()[-1]}")
    return json.loads(found.stdout.strip().splitlines()[-1])


def main():
    """Measure in turns, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", help="interpreter with torch, and with the libraries")
    parser.add_argument("--libraries", default="torch-loop,snntorch,spikingjelly")
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--out")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.networks.split(",")
    if options.measure:
        print(json.dumps(measure(options.measure, names[0])))
        return
    libraries = ["nengo-tactile", *(options.libraries.split(",") if options.peers else ())]
    results = {}
    for name in names:
        turns = {library: [] for library in libraries}
        for _ in range(options.turns):
            for library in libraries:
                python = sys.executable if library == "nengo-tactile" else options.peers
                turns[library].append(in_process(python, library, name))
        results[name] = turns
        notation, batch, n_steps, share = NETWORKS[name]
        minibatches = -(-SAMPLES[name] // batch)
        print(
            f"{notation}, batch {batch}, {n_steps} steps, {share:.1%} of the inputs active; an "
            f"epoch is {minibatches} minibatches"
        )
        for library, found in turns.items():
            per_turn = [np.median(each["seconds"]) for each in found]
            own = [np.median(each["seconds"]) for each in turns["nengo-tactile"]]
            ratios = np.array(own) / per_turn
            least = min(min(each["seconds"]) for each in found)
            busy = min(min(each["processor_seconds"]) for each in found)
            print(
                f"  {library}: {np.median(per_turn) * minibatches:.1f} s an epoch "
                f"({np.median(per_turn):.3f} a minibatch, the least {least:.3f}, {busy:.3f} of "
                "processors), "
                f"{np.median([each['peak_bytes'] for each in found]) / 1e9:.2f} GB; ours takes "
                f"{np.median(ratios):.2f} of it ({ratios.min():.2f}-{ratios.max():.2f})"
            )
    if options.out:
        about = {
            "cpus": os.cpu_count(),
            "networks": NETWORKS,
            "samples": SAMPLES,
            "results": results,
        }
        Path(options.out).write_text(json.dumps(about, indent=1))


if __name__ == "__main__":
    main()
