"""Models with random weights, and whether two of them compute the same."""

import numpy as np

from nengo_tactile import stack

SHAPE = (9, 7, 2)


def keras():
    return stack.tensorflow().keras


def layers():
    return keras().layers


def conv(*arguments, **options):
    return layers().Conv2D(*arguments, **options)


def randomised(model, seed=0):
    """Random weights of both signs; moving variances and other spreads above zero."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        values = rng.normal(size=variable.shape)
        if "variance" in variable.name or "ceiling" in variable.name:
            values = 0.3 + np.abs(values)
        # Keras 3 has names for types
        dtype = getattr(variable.dtype, "as_numpy_dtype", variable.dtype)
        variable.assign(values.astype(dtype))
    return model


def chain(*parts, shape=SHAPE, seed=0):
    """A functional model of layers, and of lists of them, one after another."""
    x = inputs = keras().Input(shape)
    for part in parts:
        for layer in part if isinstance(part, list) else [part]:
            x = layer(x)
    return randomised(keras().Model(inputs, x), seed)


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def assert_same(one, other, relative=1e-5, seed=3):
    """Both compute the same; the difference is relative to the largest output."""
    assert one.input_shape == other.input_shape and one.output_shape == other.output_shape
    x = np.random.default_rng(seed).normal(size=(4, *one.input_shape[1:])).astype(np.float32)
    wanted, got = one(x).numpy(), other(x).numpy()
    top = np.abs(wanted).max()
    assert top > 0 and np.isfinite(wanted).all()
    assert np.abs(got - wanted).max() <= relative * top


def apply_pass(function, model, **settings):
    """Run a pass; its argument must not change."""
    weights, description = model.get_weights(), model.to_json()
    result = function(model, **settings)
    assert model.to_json() == description
    assert all((a == b).all() for a, b in zip(model.get_weights(), weights))
    return result
