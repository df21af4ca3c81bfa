"""Which options of `convert` belong to which kind of neurons."""

from nengo_tactile.errors import ConversionError

#: Layers of neurons that a model can bring along -> their kind.
BROUGHT = {"RateLIF": "lif", "RateIF": "if", "SigmaDelta": "sigma-delta"}
#: Options that not all kinds of neurons have: default, and the kinds that have them.
OPTIONS = {
    "percentile": (99.9, ("lif", "if")),
    "nonzero": (False, ("lif", "if")),
    "channelwise": (False, ("if",)),
    "max_rate": (None, ("lif",)),
    "synapse": ("tune", ("lif",)),
    "shortcut_normalisation": (True, ("if",)),
    "start": (0.5, ("if",)),
    "reset": ("subtract", ("if",)),
    "calibrate": (None, ("if",)),
    "compensation": (None, ("if",)),
    "discard": (None, ("lif", "if")),
    "threshold": (None, ("sigma-delta",)),
    "threshold_factor": (None, ("sigma-delta",)),
    "max_loss": (None, ("sigma-delta",)),
    "spike_budget": (None, ("sigma-delta",)),
    "labels": (None, ("sigma-delta",)),
    "output_threshold": (None, ("sigma-delta",)),
    "coding": (None, ("sigma-delta",)),
}


def kind_of_neurons(model, neuron, kinds):
    """One of "lif", "if" and "sigma-delta": what is asked for, or what the model brings along.

    Parameters
    ----------
    model : tf.keras.Model
    neuron : str or nengo.LIF
        "lif" leaves it to the model.
    kinds : set of str
        Types of the model's layers.

    Raises
    ------
    ConversionError
        For an unknown kind, and if the two are not the same.
    """
    brought = [name for name in BROUGHT if name in kinds]
    asked = neuron if isinstance(neuron, str) else "lif"
    if asked not in BROUGHT.values():
        raise ConversionError(
            f"neuron is {neuron!r}: choose 'lif', 'if', 'sigma-delta' or a nengo.LIF"
        )
    if not brought:
        return asked
    kind = BROUGHT[brought[0]]
    if asked not in ("lif", kind):
        raise ConversionError(
            f"model '{model.name}' has {brought[0]} layers, neuron is {neuron!r}: give the model "
            f"with its ReLUs, or neuron={kind!r}"
        )
    return kind


def refuse_others(kind, given):
    """Refuse options that only other kinds of neurons have.

    Parameters
    ----------
    kind : str
    given : dict
        `OPTIONS` by name -> value.

    Raises
    ------
    ConversionError
        Naming the first one.
    """
    for name, value in given.items():
        default, kinds = OPTIONS[name]
        if kind in kinds or value is default or (name != "labels" and value == default):
            continue
        shown = "given" if name == "labels" else repr(value)
        raise ConversionError(
            f"{name} is {shown}, which only neuron={' or '.join(map(repr, kinds))} has: leave it "
            "out, or choose that neuron"
        )
