"""Stages as Loihi takes them: every connection a convolution or dense, neurons of the chip."""

import dataclasses

import numpy as np

from nengo_tactile import stack
from nengo_tactile.conversion import linear_maps as maps
from nengo_tactile.conversion.build import sends_changes
from nengo_tactile.errors import EngineError

#: Floor of integrate-and-fire neurons' membrane potential on the chip, in thresholds: far below
#: what inhibition reaches within a presentation (the chip's registers hold 23 bits).
FLOOR = -100.0

#: Firing rate in hertz of an input neuron for the value 1, with ``first_layer="chip"``.
INPUT_RATE = 500.0


def chip_stages(stages, first_layer):
    """The stages with shortcuts as convolutions of 1 x 1, and sequences as images of width 1.

    nengo-loihi makes a full matrix of an identity; as a convolution it is one weight a channel.
    It has convolutions of two dimensions only.

    Parameters
    ----------
    stages : list of Stage
    first_layer : {"host", "chip"}
        Where the neurons that read the image are.

    Returns
    -------
    list of Stage

    Raises
    ------
    EngineError
        For a stage that the chip cannot take, naming the layer and the remedy.
    """
    shapes = {stage.name: stage.shape for stage in stages}
    off_chip = {"input"} | {s.name for s in stages if s.driven and first_layer == "host"}
    result = []
    for stage in stages:
        check_stage(stage, first_layer)
        if stage.kind not in ("relay", "maximum"):
            links = tuple(_as_convolution(link, shapes.get(link.source)) for link in stage.links)
            stage = dataclasses.replace(stage, links=links)
        if stage.kind == "read-out" or stage.name in off_chip:
            _check_way_back(stage, off_chip)
        result.append(stage)
    return result


def start_as_current(stage, n_steps):
    """Give integrate-and-fire neurons what they have at the start little by little.

    The chip's membrane potentials start at zero. A constant current that adds up to the same over
    the presentation leads to nearly the same number of spikes.
    """
    if stage.start is None:
        return stage
    shift = stage.shift + stage.start / np.float32(n_steps)
    return dataclasses.replace(stage, shift=shift, start=np.zeros_like(stage.start))


def check_stage(stage, first_layer):
    """Refuse what neither the chip's axons nor its neurons can do.

    Raises
    ------
    EngineError
        Naming the layer and the remedy.
    """
    refuse_changes(stage)
    if stage.kind == "max-pool":
        raise EngineError(
            f"layer '{stage.name}' (max pooling): the loihi engine has no max pooling of spikes; "
            "use average pooling or strides"
        )
    if stage.kind == "maximum" and first_layer != "host":
        raise EngineError(
            f"layer '{stage.name}' (max pooling): with first_layer='chip' pixels come as spikes, "
            "whose maximum is not the image's; use first_layer='host' (--first-layer host), for "
            "which there must be a second layer with a ReLU, or pool the images before"
        )
    if stage.kind == "relay" and not (stage.driven and first_layer == "host"):
        raise EngineError(
            f"layer '{stage.name}': the chip has neurons and weights, no place to add up in "
            "between; give it a ReLU, or let a convolution or dense layer follow that it can be "
            "merged with"
        )
    if getattr(stage.neuron, "negative_slope", 0):
        raise EngineError(
            f"layer '{stage.name}' (LeakyReLU): the chip's spikes have one sign; use a ReLU"
        )
    if stage.kind in ("relay", "maximum"):  # on the host, in front of the first layer
        return
    for link in stage.links:
        if link.target is not None or getattr(link.map, "indices", None) is not None:
            raise EngineError(
                f"layer '{stage.name}': reads or fills part of a map (padding, cropping, "
                f"concatenation) with what comes from '{link.source}', which the chip's "
                "connections cannot; use convolutions and Add"
            )
        if (
            isinstance(link.map, maps.TransposedConvolution)
            and link.map.padding == "same"
            and max(link.map.strides) > 1
        ):
            raise EngineError(
                f"layer '{stage.name}' (transposed convolution): padding is 'same' with strides "
                f"{link.map.strides}, which nengo-loihi puts a pixel too far up and left; use "
                "padding='valid'"
            )


def refuse_changes(stage):
    """Refuse sigma-delta neurons.

    Raises
    ------
    EngineError
    """
    if sends_changes(stage):
        raise EngineError(
            f"layer '{stage.name}' (sigma-delta): the chip's spikes have one sign; convert the "
            "model with neuron='if' or 'lif', or use engine='nengo-dl'"
        )


def _check_way_back(stage, off_chip):
    """Refuse spikes that come from the chip to the host through a convolution or pooling."""
    without_matrix = (maps.Convolution, maps.TransposedConvolution, maps.Sparse)
    for link in stage.links:
        if link.source in off_chip or not isinstance(link.map, without_matrix):
            continue
        if stage.kind == "read-out":
            raise EngineError(
                f"layer '{stage.name}': the read-out is on the host and '{link.source}' on the "
                "chip, and nengo-loihi takes no convolution and no pooling from the chip to the "
                "host; let Flatten and a Dense layer follow (and a Reshape, for a map)"
            )
        raise EngineError(
            f"layer '{stage.name}': the image reaches it beside '{link.source}', so it is on the "
            "host, and nengo-loihi takes no convolution and no pooling from the chip to the host; "
            "use "
            "first_layer='chip' (--first-layer chip), or lead the image through a layer with a "
            "ReLU first"
        )


def _as_convolution(link, shape):
    """Identity and diagonal maps of images as convolutions over two axes; others as they are."""
    if isinstance(link.map, (maps.Convolution, maps.TransposedConvolution)):
        return dataclasses.replace(link, map=_two_dimensional(link.map))
    if shape is None or len(shape) != 3 or not isinstance(link.map, (maps.Diagonal, maps.Routing)):
        return link
    channels = shape[-1]
    if isinstance(link.map, maps.Routing):
        weights = np.full(channels, link.map.factor, np.float32)
    else:
        per_pixel = link.map.weights.reshape(-1, channels)
        if (per_pixel != per_pixel[0]).any():
            raise EngineError(
                f"what comes from '{link.source}' has weights of its own at every pixel, which "
                "the chip's connections cannot; use a convolution"
            )
        weights = per_pixel[0]
    kernel = np.diag(weights).astype(np.float32)[None, None]
    convolution = maps.Convolution(kernel, (1, 1), "valid", shape, shape)
    return dataclasses.replace(link, map=convolution)


def _two_dimensional(convolution):
    """A convolution of sequences as one of images of width 1."""
    if len(convolution.input_shape) == 3:
        return convolution
    (n, channels), (m, filters) = convolution.input_shape, convolution.output_shape
    return dataclasses.replace(
        convolution,
        kernel=convolution.kernel[:, None],
        strides=(*convolution.strides, 1),
        input_shape=(n, 1, channels),
        output_shape=(m, 1, filters),
    )


def register_neurons():
    """Teach nengo-loihi `IntegrateFire`, once.

    On the chip it is a compartment without leak that may go below zero; a spike resets it to
    zero, so that what its potential was above the threshold is lost, unlike reset by
    subtraction.
    """
    stack.nengo_loihi()
    from nengo_loihi.builder import Builder

    from nengo_tactile.neurons.integrate_fire import IntegrateFire

    if IntegrateFire in Builder.builders:
        return

    def build(model, neuron_type, neurons, block):
        # currents are in thresholds a step already; Nengo's own type has them in hertz
        block.compartment.configure_relu(vth=1.0, dt=model.dt)
        block.compartment.vmin = FLOOR

    Builder.builders[IntegrateFire] = build


def spike_the_input(network, built):
    """Put one neuron per pixel between the input Node and what reads it, on the host."""
    import nengo

    net, n_pixels = built.net, built.input.size_out
    with net:
        encoder = nengo.Ensemble(
            n_pixels,
            1,
            neuron_type=nengo.SpikingRectifiedLinear(
                amplitude=1 / INPUT_RATE, initial_state={"voltage": nengo.dists.Choice([0.5])}
            ),
            gain=np.full(n_pixels, INPUT_RATE),
            bias=np.zeros(n_pixels),
            label="input spikes",
        )
        net.config[encoder].on_chip = False
        readers = [c for c in net.connections if c.pre_obj is built.input]
        nengo.Connection(built.input, encoder.neurons, synapse=None)
        for old in readers:
            net.connections.remove(old)
            nengo.Connection(
                encoder.neurons, old.post, transform=old.transform, synapse=network.synapse
            )
        built.spike_probes["input"] = nengo.Probe(encoder.neurons, label="input spikes")


def check_input(x, dt):
    """Refuse images that input neurons cannot send: one spike a step, none of them negative.

    Raises
    ------
    EngineError
        Naming the value, the limit and the remedy.
    """
    if x.min() < 0:
        raise EngineError(
            f"first_layer='chip' sends pixels as spikes, but the input goes down to {x.min():.3g}: "
            "use images without negative values, or first_layer='host'"
        )
    most = 1 / (INPUT_RATE * dt)
    if x.max() > most:
        raise EngineError(
            f"first_layer='chip' sends a pixel as at most one spike a step, worth {most:.3g}, but "
            f"the input goes up to {x.max():.3g}: scale the images to 0..1 and train the model on "
            "them, or use first_layer='host' (--first-layer host) if the network has more than "
            "one spiking layer"
        )
