"""Placing layers on Loihi's neuron cores: block shapes that keep every limit."""

import itertools
import math

import numpy as np

from nengo_tactile import stack
from nengo_tactile.errors import EngineError

#: Limits of one neuron core (Davies et al. 2018, IEEE Micro 38(1); nengo_loihi/block.py).
CORE_LIMITS = {
    "compartments": 1024,
    "in_axons": 4096,
    "out_axons": 4096,
    "synapse_bits": 16384 * 64,
}
#: Cores of one chip (Davies et al. 2018).
CORES_PER_CHIP = 128


def block_shapes(shape):
    """Ways to cut a layer into equal blocks, fewest blocks first.

    Parameters
    ----------
    shape : tuple of int
        (neurons,) or (height, width, channels).

    Returns
    -------
    list of tuple of int
        Each has at most 1,024 neurons. Of several with the same number of blocks the one
        that splits fewer axes comes first: a convolution's inputs then reach fewer blocks.
    """
    candidates = set()
    for splits in itertools.product(*(range(1, min(n, 64) + 1) for n in shape)):
        block = tuple(math.ceil(n / k) for n, k in zip(shape, splits))
        if math.prod(block) <= CORE_LIMITS["compartments"]:
            candidates.add(block)

    def cost(block):
        counts = [math.ceil(n / b) for n, b in zip(shape, block)]
        return math.prod(counts), sum(c > 1 for c in counts), max(counts), block

    # of the shapes that make the same number of blocks one is enough to try
    best = {}
    for block in sorted(candidates, key=cost):
        best.setdefault(cost(block)[:2], block)
    return sorted(best.values(), key=cost)


def build_model(net, dt, discretize=True):
    """Build a network for the chip without checking the cores' limits.

    Returns
    -------
    nengo_loihi.builder.Model
    """
    stack.nengo_loihi()
    from nengo_loihi.builder import Model
    from nengo_loihi.builder.builder import ValidationLevel

    model = Model(dt=dt, label="placement")
    model.validation_level = ValidationLevel.NONE
    model.build(net, precompute=None, remove_passthrough=True, discretize=discretize)
    return model


def core_table(model, layer_of):
    """What each core holds.

    Parameters
    ----------
    model : nengo_loihi.builder.Model
    layer_of : dict of str to str
        Start of a block's label -> layer name.

    Returns
    -------
    list of dict
        ``layer``, ``core``, ``compartments``, ``in_axons``, ``out_axons``, ``synapse_bits``.
    """
    names = {"in-axons": "in_axons", "out-axons": "out_axons", "synapses": "synapse_bits"}
    cores = []
    for number, block in enumerate(model.blocks):
        used = {names.get(k, k): int(v[0]) for k, v in block.utilization().items()}
        layer = next(name for start, name in layer_of.items() if str(block.label).startswith(start))
        cores.append({"layer": layer, "core": number, **used})
    return cores


def place(make_network, dt):
    """Find block shapes with which every core keeps its limits.

    Parameters
    ----------
    make_network : callable
        ``make_network() -> (net, {layer: (ensemble, shape)})`` with the chip's ensembles; a
        block shape cannot be changed once set, so each try needs a new network.
    dt : float
        Time step in seconds.

    Returns
    -------
    net : nengo.Network
        With block shapes set.
    cores : list of dict
        See `core_table`.

    Raises
    ------
    EngineError
        If a layer fits in no way, naming the layer, the limit and the remedy.
    """
    nengo_loihi = stack.nengo_loihi()
    choice = {}
    while True:
        net, on_chip = make_network()
        shapes = {name: block_shapes(shape) for name, (_, shape) in on_chip.items()}
        for name, (ensemble, shape) in on_chip.items():
            block = shapes[name][choice.setdefault(name, 0)]
            net.config[ensemble].block_shape = nengo_loihi.BlockShape(block, shape)
        model = build_model(net, dt)
        labels = {str(ensemble): name for name, (ensemble, _) in on_chip.items()}
        cores = core_table(model, labels)
        over = {
            (core["layer"], limit): core[limit]
            for core in cores
            for limit in CORE_LIMITS
            if core[limit] > CORE_LIMITS[limit]
        }
        over |= {
            (layer, "compartment base"): base for layer, base in _bases_over_limit(model, labels)
        }
        if not over:
            return net, cores
        for layer in {layer for layer, _ in over}:
            choice[layer] += 1
            if choice[layer] >= len(shapes[layer]):
                limit, value = next((k[1], v) for k, v in over.items() if k[0] == layer)
                raise EngineError(
                    f"layer '{layer}' does not fit Loihi's cores however it is cut: {limit} is "
                    f"{value}, the limit {CORE_LIMITS.get(limit, 255)}; use fewer filters or "
                    "neurons, or keep the layer on the host"
                )


def weight_errors(make_network, dt):
    """Relative error of the chip's 8-bit weights, by layer.

    The network is built twice, with and without discretisation; the integers are compared
    with the weights after the scale that fits them best.

    Parameters
    ----------
    make_network, dt
        As for `place`.

    Returns
    -------
    dict of str to float
        Root mean square of the errors, relative to that of the weights.
    """
    tables = []
    for discretize in (False, True):
        net, on_chip = make_network()
        model = build_model(net, dt, discretize)
        labels = {str(ensemble): name for name, (ensemble, _) in on_chip.items()}
        table = {}
        for block in model.blocks:
            layer = next(n for s, n in labels.items() if str(block.label).startswith(s))
            weights = [np.ravel(w) for synapse in block.synapses for w in synapse.weights]
            if weights:
                table.setdefault(layer, []).append(np.concatenate(weights).astype(float))
        tables.append(table)
    exact, integers = tables
    result = {}
    for layer, blocks in exact.items():
        residual = total = 0.0
        for w, q in zip(blocks, integers[layer]):
            scale = (w @ q) / (q @ q) if q.any() else 0.0
            residual += np.sum((w - scale * q) ** 2)
            total += np.sum(w**2)
        result[layer] = float(np.sqrt(residual / total)) if total else 0.0
    return result


def _bases_over_limit(model, labels):
    """Layers whose convolution addresses compartments beyond the chip's 8-bit base."""
    for block in model.blocks:
        for synapse in block.synapses:
            bases = synapse.axon_compartment_bases
            if bases is not None and max(bases, default=0) > 255:
                start = next(s for s in labels if str(block.label).startswith(s))
                yield labels[start], int(max(bases))
