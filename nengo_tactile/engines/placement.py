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
    """Build a network cut into blocks and say what each core holds, and what integers do to it.

    Parameters
    ----------
    make_network : callable
        ``make_network() -> (net, {layer: (ensemble, shape)})`` with the chip's ensembles, whose
        block shapes are not set.
    dt : float
        Time step in seconds.
    blocks : dict of str to tuple of int
        Block shape of each layer: see `core_shapes.cut_stages`.

    Returns
    -------
    model : nengo_loihi.builder.Model
        With integers.
    cores : list of dict
        See `core_table`.
    rounding : dict of str to dict
        See `rounding_of`.
    """
    stack.nengo_loihi()
    from nengo_loihi.builder.discretize import discretize_model

    net, on_chip = make_network()
    for name, (ensemble, shape) in on_chip.items():
        net.config[ensemble].block_shape = stack.nengo_loihi().BlockShape(blocks[name], shape)
    model, labels = build_model(net, dt, discretize=False), _labels(on_chip)
    exact = [_Exact(block) for block in model.blocks]
    discretize_model(model)
    cores = core_table(model, labels)
    for core in cores:
        for limit, most in CORE_LIMITS.items():
            if core[limit] > most:  # core_shapes counts wrong
                raise EngineError(
                    f"layer '{core['layer']}' takes {core[limit]:,} {limit} of a core, the limit "
                    f"is {most:,}, though its shapes said that it fits: please report the network"
                )
    return model, cores, rounding_of(exact, model, labels)


class _Exact:
    """What a block was before integers."""

    def __init__(self, block):
        self.vth, self.bias = block.compartment.vth.copy(), block.compartment.bias.copy()
        self.weights = [[each.copy() for each in synapse.weights] for synapse in block.synapses]


def _labels(on_chip):
    return {str(ensemble): name for name, (ensemble, _) in on_chip.items()}


def _layer_of(block, labels):
    return next(name for start, name in labels.items() if str(block.label).startswith(start))


def rounding_of(exact, model, labels):
    """What the chip's integers do to each layer.

    Blocks before and after are compared neuron by neuron: what counts is a weight's or a bias's
    share of the neuron's own threshold.

    Parameters
    ----------
    exact : list of _Exact
        The blocks before.
    model : nengo_loihi.builder.Model
        With integers.
    labels : dict of str to str
        As for `core_table`.

    Returns
    -------
    dict of str to dict
        Per layer ``median`` and ``worst``: root mean square of the errors of the weights into a
        neuron, relative to that of these weights, of the median and the worst neuron; ``bias``:
        the worst neuron's error of its constant current, in thresholds (a step, of
        integrate-and-fire neurons); ``lost_bits``: bits of the weights' eight that are not used,
        because thresholds or biases have no room.
    """
    found = {}
    for before, block in zip(exact, model.blocks):
        layer = found.setdefault(
            _layer_of(block, labels), {"weights": [], "bias": 0.0, "lost_bits": 0}
        )
        weights, bias, lost = _block_errors(before, block)
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
    got = integers.compartment
    info = got.discretize_info
    # what one in units of the exact network's potentials came to, neuron by neuron
    per_unit = got.vth / exact.vth.astype(float)
    bias_unit = per_unit * np.asarray(info["b_scale"]) / info["v_scale"]
    bias = float(np.abs((got.bias / bias_unit - exact.bias) / exact.vth).max())
    weight_unit = per_unit * np.asarray(info["w_scale"]) * 2.0 ** (6 + info["w_exp"])
    weight_unit = np.broadcast_to(weight_unit / info["v_scale"], (integers.n_neurons,))
    power, error = np.zeros(integers.n_neurons), np.zeros(integers.n_neurons)
    lost = 0
    for before, synapse in zip(exact.weights, integers.synapses):
        cfg = synapse.synapse_cfg
        if any(each.any() for each in before):
            lost = max(lost, -(cfg.shift_bits + cfg.weight_exp))
        for axon in range(synapse.n_axons):
            base = synapse.axon_compartment_base(axon)
            if base is None:
                continue
            kind = synapse.axon_weight_idx(axon)
            to = base + synapse.indices[kind][0]
            w, q = before[kind].astype(float), synapse.weights[kind]
            power[to] += (w**2).sum(axis=0)
            error[to] += ((q / weight_unit[to] - w) ** 2).sum(axis=0)
    reached = power > 0
    return np.sqrt(error[reached] / power[reached]), bias, lost
