"""Changing the neurons of a model whose activations are firing rates."""

from nengo_tactile.conversion.graph import functional, rebuild


def map_neurons(model, change, shift_factor=1.0):
    """Change the parameters of every layer of neurons.

    Parameters
    ----------
    model : tf.keras.Model
        With `RateLIF` or `RateIF` layers.
    change : callable
        ``parameters -> parameters`` (LIFParameters or IFParameters).
    shift_factor : float
        On the currents that calibration has added, which are in thresholds a step.

    Returns
    -------
    tf.keras.Model
        Same weights; membrane potentials at the start stay too.
    """

    def replace(layer, inputs):
        if type(layer).__name__ not in ("RateLIF", "RateIF"):
            return None
        config = {**layer.get_config(), **vars(change(layer.parameters))}
        changed = type(layer).from_config(config)
        output = changed(inputs[0])
        changed.set_weights(layer.get_weights())
        if type(layer).__name__ == "RateIF":
            changed.shift.assign(layer.shift * shift_factor)
        return output

    return rebuild(functional(model), replace)
