"""Layers on Loihi's neuron cores as nengo-loihi builds them: use of the cores, and rounding."""

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
        layer = _layer_of(block, layer_of)
        cores.append({"layer": layer, "core": number, **used})
    return cores


def place(make_network, dt, blocks):
    """Build a network cut into blocks and say what each core holds.

    Parameters
    ----------
    make_network : callable
        ``make_network() -> (net, {layer: (ensemble, shape)})`` with the chip's ensembles; a
        block shape cannot be changed once set, so each building needs a new network.
    dt : float
        Time step in seconds.
    blocks : dict of str to tuple of int
        Block shape of each layer: see `core_shapes.cut_stages`.

    Returns
    -------
    net : nengo.Network
        With block shapes set.
    model : nengo_loihi.builder.Model
    cores : list of dict
        See `core_table`.
    """
    net, on_chip = _cut(make_network, blocks)
    model = build_model(net, dt)
    cores = core_table(model, _labels(on_chip))
    for core in cores:
        for limit, most in CORE_LIMITS.items():
            if core[limit] > most:  # core_shapes counts wrong
                raise EngineError(
                    f"layer '{core['layer']}' takes {core[limit]:,} {limit} of a core, the limit "
                    f"is {most:,}, though its shapes said that it fits: please report the network"
                )
    return net, model, cores


def _cut(make_network, blocks):
    nengo_loihi = stack.nengo_loihi()
    net, on_chip = make_network()
    for name, (ensemble, shape) in on_chip.items():
        net.config[ensemble].block_shape = nengo_loihi.BlockShape(blocks[name], shape)
    return net, on_chip


def _labels(on_chip):
    return {str(ensemble): name for name, (ensemble, _) in on_chip.items()}


def _layer_of(block, labels):
    return next(name for start, name in labels.items() if str(block.label).startswith(start))


def rounding(make_network, dt, blocks):
    """What the chip's integers do to each layer.

    The network is built twice, with and without integers, and compared neuron by neuron: what
    counts is a weight's or a bias's share of the neuron's own threshold.

    Parameters
    ----------
    make_network, dt, blocks
        As for `place`.

    Returns
    -------
    dict of str to dict
        Per layer ``median`` and ``worst``: root mean square of the errors of the weights into a
        neuron, relative to that of these weights, of the median and the worst neuron; ``bias``:
        the worst neuron's error of its constant current, in thresholds (a step, of
        integrate-and-fire neurons); ``lost_bits``: bits of the weights' eight that are not used,
        because thresholds or biases have no room.
    """
    models = []
    for discretize in (False, True):
        net, on_chip = _cut(make_network, blocks)
        models.append(build_model(net, dt, discretize))
    labels, found = _labels(on_chip), {}
    for exact, integers in zip(*(model.blocks for model in models)):
        layer = found.setdefault(
            _layer_of(exact, labels), {"weights": [], "bias": 0.0, "lost_bits": 0}
        )
        weights, bias, lost = _block_errors(exact, integers)
        layer["weights"].append(weights)
        layer["bias"] = max(layer["bias"], bias)
        layer["lost_bits"] = max(layer["lost_bits"], lost)
    result = {}
    for name, layer in found.items():
        errors = np.concatenate(layer.pop("weights"))
        if not len(errors):
            errors = np.zeros(1)
        result[name] = {
            "median": float(np.median(errors)),
            "worst": float(errors.max()),
            **layer,
        }
    return result


def _block_errors(exact, integers):
    """Relative errors of the weights into each neuron, worst error of a bias, bits lost."""
    wanted, got = exact.compartment, integers.compartment
    info = got.discretize_info
    # what one in units of the exact network's potentials came to, neuron by neuron
    per_unit = got.vth / wanted.vth.astype(float)
    bias_unit = per_unit * np.asarray(info["b_scale"]) / info["v_scale"]
    bias = float(np.abs((got.bias / bias_unit - wanted.bias) / wanted.vth).max())
    weight_unit = per_unit * np.asarray(info["w_scale"]) * 2.0 ** (6 + info["w_exp"])
    weight_unit = np.broadcast_to(weight_unit / info["v_scale"], (exact.n_neurons,))
    power, error = np.zeros(exact.n_neurons), np.zeros(exact.n_neurons)
    lost = 0
    for one, other in zip(exact.synapses, integers.synapses):
        cfg = other.synapse_cfg
        if other.max_abs_weight() or one.max_abs_weight():
            lost = max(lost, -(cfg.shift_bits + cfg.weight_exp))
        for axon in range(one.n_axons):
            base = one.axon_compartment_base(axon)
            if base is None:
                continue
            kind = one.axon_weight_idx(axon)
            to = base + one.indices[kind][0]
            w, q = one.weights[kind].astype(float), other.weights[other.axon_weight_idx(axon)]
            power[to] += (w**2).sum(axis=0)
            error[to] += ((q / weight_unit[to] - w) ** 2).sum(axis=0)
    reached = power > 0
    return np.sqrt(error[reached] / power[reached]), bias, lost
