"""Stages as Loihi takes them: every connection a convolution or dense, neurons of the chip."""

import dataclasses

import numpy as np

from nengo_tactile import stack
from nengo_tactile.engines.placement import CORE_LIMITS
from nengo_tactile.errors import EngineError
from nengo_tactile.networks.linear_maps import Convolution

#: Floor of integrate-and-fire neurons' membrane potential on the chip, in thresholds: far below
#: what inhibition reaches within a presentation (the chip's registers hold 23 bits).
FLOOR = -100.0

_NO_SUMS = (
    "the chip has neurons and weights, no place to add up in between; give it a ReLU, or let a "
    "convolution or dense layer follow that it can be merged with"
)


def chip_graph(graph, host):
    """The stages with shortcuts as convolutions of 1 x 1, and sequences as images of width 1.

    nengo-loihi makes a full matrix of an identity; as a convolution it is one weight a channel.
    It has convolutions of two dimensions only.

    Parameters
    ----------
    graph : Graph
    host : collection of str
        Spiking stages whose neurons are on the host: see `layers_on_host`.

    Returns
    -------
    Graph

    Raises
    ------
    EngineError
        For a stage that the chip cannot take, naming the layer and the remedy.
    """
    for error in chip_problems(graph, host).values():
        raise error
    shapes, last = {stage.name: stage.shape for stage in graph}, graph.stages[-1].name
    off_chip = {"input", *host} | {stage.name for stage in graph if not stage.spikes}
    stages = [
        _convolved(stage, shapes, off_chip) if stage.spikes or stage.name == last else stage
        for stage in graph
    ]
    shapes["input"] = _input_shape(stages)
    on_chip = {stage.name for stage in stages if stage.fires} - set(host)
    stages = [_by_pixel(stage, shapes) if stage.name in on_chip else stage for stage in stages]
    return dataclasses.replace(graph, stages=stages)


def _input_shape(stages):
    links = [link for stage in stages for link in stage.links if link.source == "input"]
    return next((link.map.input_shape for link in links if link.map.n_axes), None)


def _by_pixel(stage, shapes):
    """Dense links as convolutions, where a core has not enough axons for one per sender.

    Axons of a convolution are pixels: what a spike brings depends on the pixel and its channel
    ("population axons"). A dense layer is the convolution whose kernel covers the whole map.
    """
    dense = [link.map.n_in for link in stage.links if link.map.dense]
    if sum(dense) <= CORE_LIMITS["in_axons"]:
        return stage
    links = []
    for link in stage.links:
        shape = link.map.dense and _pixels(link.map.n_in, shapes[link.source])
        if shape:
            kernel = link.map.kernel.reshape(*shape, -1)
            found = Convolution(kernel, shape, (1, 1, kernel.shape[-1]))
            link = dataclasses.replace(link, map=found)
        links.append(link)
    return dataclasses.replace(stage, links=tuple(links))


def _pixels(n, shape):
    """A layer of n neurons as (height, width, channels); as it is, or of up to 64 channels."""
    if shape is not None and len(shape) == 3:
        return tuple(shape)
    channels = next(c for c in range(64, 0, -1) if n % c == 0)
    return None if channels == 1 else (n // channels, 1, channels)


def chip_problems(graph, host):
    """What the chip cannot take, {stage name: EngineError} with the layer and the remedy.

    Parameters
    ----------
    graph, host
        As of `chip_graph`.
    """
    shapes, last = {stage.name: stage.shape for stage in graph}, graph.stages[-1]
    off_chip, problems = {"input", *host}, {}
    readers = {}
    for stage in graph:
        for link in stage.links:
            readers.setdefault(link.source, []).append(stage)
    for stage in graph:
        try:
            adds, reads_out = not stage.spikes and stage is not last, stage is last
            if adds and all(link.source in off_chip for link in stage.links):
                off_chip.add(stage.name)
            if reads_out or stage.name not in off_chip:  # on the host are Nengo's own
                check_stage(stage, reads_out)
            if not adds:
                stage = _convolved(stage, shapes, off_chip)
            if reads_out or stage.name in off_chip:
                _check_way_back(stage, off_chip, reads_out)
            if stage.name in off_chip:
                _check_way_there(stage, readers.get(stage.name, []), off_chip)
        except EngineError as error:
            problems[stage.name] = error
    return problems


def _convolved(stage, shapes, off_chip):
    """The stage with links as nengo-loihi takes them; those within the host stay as they are."""
    on_host = not stage.spikes or stage.name in off_chip
    links = tuple(
        link
        if on_host and link.source in off_chip
        else _as_convolution(link, shapes.get(link.source))
        for link in stage.links
    )
    return dataclasses.replace(stage, links=links)


def start_as_current(stage, n_steps):
    """Give integrate-and-fire neurons what they have at the start little by little.

    The chip's membrane potentials start at zero. A constant current that adds up to the same over
    the presentation leads to nearly the same number of spikes.
    """
    more = 0 if stage.neuron.leaks else stage.start / np.float32(n_steps)
    return dataclasses.replace(stage, bias=stage.bias + more, start=None)


def check_stage(stage, reads_out=False):
    """Refuse what neither the chip's axons nor its neurons can do.

    Parameters
    ----------
    stage : Stage
    reads_out : bool
        Whether it is the last, on the host.

    Raises
    ------
    EngineError
        Naming the layer and the remedy.
    """
    refuse_changes(stage)
    if stage.neuron.forwards:
        raise EngineError(
            f"layer '{stage.name}' (max pooling): the chip has no max pooling of spikes; use "
            "average pooling or strides, or let it, all before it and the layer behind it run on "
            "the host (on_host=..., --on-host)"
        )
    if not stage.spikes and not reads_out:
        raise EngineError(f"layer '{stage.name}': {_NO_SUMS}")
    if len(stage.step_bias):
        raise EngineError(
            f"layer '{stage.name}': has currents of its own at the first {len(stage.step_bias)} "
            "steps, and the chip's are the same at all; convert the model with correction='bias', "
            "or use engine='event'"
        )
    if stage.neuron.graded:
        if stage.neuron.negative_slope:
            raise EngineError(
                f"layer '{stage.name}' (LeakyReLU): the chip's spikes have one sign; use a ReLU"
            )
        raise EngineError(
            f"layer '{stage.name}': its neurons take spikes back, or send several as one, and the "
            "chip's spikes are all worth one; convert the model without signed and "
            "spikes_per_step, or use engine='event'"
        )
    for link in stage.links:
        if link.target is not None or link.map.indices is not None:
            raise EngineError(
                f"layer '{stage.name}': reads or fills part of a map (padding, cropping, "
                f"concatenation) with what comes from '{link.source}', which the chip's "
                "connections cannot; use convolutions and Add"
            )
        found = link.map
        turned = found.n_axes and found.transposed and max(found.strides) > 1
        if turned and found.padding_word() == "same":
            raise EngineError(
                f"layer '{stage.name}' (transposed convolution): padding is 'same' with strides "
                f"{found.strides}, which nengo-loihi puts a pixel too far up and left; use "
                "padding='valid'"
            )


def refuse_changes(stage):
    """Refuse sigma-delta neurons.

    Raises
    ------
    EngineError
    """
    if stage.neuron.sends_changes:
        raise EngineError(
            f"layer '{stage.name}' (sigma-delta): the chip's spikes have one sign; convert the "
            "model with neuron=nt.IF() or nt.LIF(), or use engine='nengo-dl'"
        )


def _check_way_back(stage, off_chip, reads_out):
    """Refuse spikes that come from the chip to the host through a convolution or pooling."""
    for link in stage.links:
        found = link.map
        full = found.dense or found.diagonal is not None or found.indices is not None
        if link.source in off_chip or full:
            continue
        if reads_out:
            raise EngineError(
                f"layer '{stage.name}': the read-out is on the host and '{link.source}' on the "
                "chip, and nengo-loihi takes no convolution and no pooling from the chip to the "
                "host; let Flatten and a Dense layer follow (and a Reshape, for a map)"
            )
        raise EngineError(
            f"layer '{stage.name}': the image reaches it beside '{link.source}', so it is on the "
            "host, and nengo-loihi takes no convolution and no pooling from the chip to the host; "
            "use on_host=() (--on-host none), or lead the image through a layer with a ReLU first"
        )


def _check_way_there(stage, readers, off_chip):
    """Refuse what goes from the host to the chip and is no spike worth one."""
    for reader in readers:
        if reader.name in off_chip or not reader.fires:  # others are checked themselves
            continue
        remedy = f"let '{reader.name}' run on the host too (on_host=..., --on-host)"
        if stage.fires and stage.neuron.graded:
            raise EngineError(
                f"layer '{stage.name}' is on the host and '{reader.name}' on the chip, which takes "
                "each of its spikes as one, and they are worth other numbers (LeakyReLU, signed, "
                f"spikes_per_step); use a ReLU and plain neurons, or {remedy}"
            )
        if stage.fires:
            continue
        if stage.neuron.forwards:
            raise EngineError(
                f"layer '{stage.name}' (max pooling) is on the host and '{reader.name}' on the "
                "chip, which takes only spikes of neurons; use average pooling or strides, or "
                f"{remedy}"
            )
        if stage.neuron.window > 1:
            raise EngineError(
                f"layer '{stage.name}' (max pooling): on the chip '{reader.name}' gets pixels as "
                f"spikes, whose maximum is not the image's; {remedy}, or pool the images before"
            )
        raise EngineError(f"layer '{stage.name}': {_NO_SUMS}, or {remedy}")


def _as_convolution(link, shape):
    """Identity and diagonal maps of images as convolutions over two axes; others as they are."""
    weights = link.map.diagonal
    if link.map.n_axes and not link.map.pools:
        return dataclasses.replace(link, map=_two_dimensional(link.map))
    if shape is None or len(shape) != 3 or weights is None:
        return link
    per_pixel = weights.astype(np.float32).reshape(-1, shape[-1])
    if (per_pixel != per_pixel[0]).any():
        raise EngineError(
            f"what comes from '{link.source}' has weights of its own at every pixel, which "
            "the chip's connections cannot; use a convolution"
        )
    return dataclasses.replace(
        link, map=Convolution(np.diag(per_pixel[0])[None, None], shape, shape)
    )


def _two_dimensional(convolution):
    """A convolution of sequences as one of images of width 1, without groups and dilation."""
    plain = convolution.plain()
    if plain.n_axes == 2:
        return plain
    (n, channels), (m, filters) = plain.input_shape, plain.output_shape
    return dataclasses.replace(
        plain,
        kernel=plain.kernel[:, None],
        strides=(*plain.strides, 1),
        padding=(*plain.padding, 0),
        dilation=(),
        input_shape=(n, 1, channels),
        output_shape=(m, 1, filters),
    )


def register_neurons():
    """Teach nengo-loihi `IntegrateFire` and thresholds of a neuron's own, once.

    `IntegrateFire` is on the chip a compartment without leak that may go below zero; a spike
    resets it to zero, so that what its potential was above the threshold is lost, unlike reset by
    subtraction. Thresholds are multiplied by ``net.config[ensemble].threshold_factors`` where that
    is set: see `chip_scales`.
    """
    import nengo

    stack.nengo_loihi()
    from nengo_loihi.builder import Builder

    from nengo_tactile.neurons.integrate_fire import IntegrateFire

    if IntegrateFire in Builder.builders:
        return

    def build(model, neuron_type, neurons, block):
        # currents are in thresholds a step already; Nengo's own type has them in hertz
        block.compartment.configure_relu(vth=1.0, dt=model.dt)
        block.compartment.vmin = FLOOR
        own_thresholds(model, neurons, block, np.max)

    build_lif = Builder.builders[nengo.LIF]

    def build_with_factors(model, neuron_type, neurons, block):
        build_lif(model, neuron_type, neurons, block)
        own_thresholds(model, neurons, block, np.median)

    def own_thresholds(model, neurons, block, of_floor):
        factors = getattr(model.config[neurons.ensemble], "threshold_factors", None)
        if factors is not None:
            block.compartment.vth[:] *= factors
            block.compartment.vmin *= float(of_floor(factors))  # a block has only one

    Builder.builders[IntegrateFire] = build
    Builder.builders[nengo.LIF] = build_with_factors
