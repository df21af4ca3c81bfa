"""Weights as arrays: there and back, from PyTorch's layout, and refused when they do not fit."""

import numpy as np
import pytest

from nengo_tactile import stack
from nengo_tactile.ann.arrays import from_torch, load_arrays, save_arrays
from nengo_tactile.ann.clip_floor import clip_floor_layer
from nengo_tactile.ann.residual import resnet
from nengo_tactile.errors import ModelFileError


def small(seed=0):
    return resnet(4, (6, 6, 2), 3, seed=seed, widths=(2,))


NAMES = {"conv0/kernel": (3, 3, 2, 2), "logits/kernel": (2, 3), "logits/bias": (3,)} | {
    f"{layer}/{weight}": (2,)
    for layer in ("conv0_norm", "block1_1_conv1_norm", "block1_1_conv2_norm")
    for weight in ("gamma", "beta", "moving_mean", "moving_variance")
}
NAMES |= {f"block1_1_conv{i}/kernel": (3, 3, 2, 2) for i in (1, 2)}


def test_there_and_back(tmp_path, rng):
    one, other = small(), small(seed=1)
    one.set_weights([rng.random(w.shape) for w in one.get_weights()])
    path = tmp_path / "weights.npz"
    save_arrays(one, path)
    with np.load(path, allow_pickle=False) as stored:
        assert {name: stored[name].shape for name in stored.files} == NAMES
        by_name = dict(stored)
    kernel, bias = one.get_layer("logits").get_weights()
    np.testing.assert_array_equal(by_name["logits/bias"], bias)
    np.testing.assert_array_equal(by_name["logits/kernel"], kernel)
    variance = one.get_layer("conv0_norm").get_weights()[3]
    np.testing.assert_array_equal(by_name["conv0_norm/moving_variance"], variance)
    load_arrays(other, path)
    for a, b in zip(one.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(a, b)
    third = small(seed=2)
    load_arrays(third, {name: value.astype(float) for name, value in by_name.items()})
    assert all((a == b).all() for a, b in zip(one.get_weights(), third.get_weights()))


def test_weights_of_our_own_layers_have_names(tmp_path):
    tf = stack.tensorflow()
    inputs = tf.keras.Input((2,))
    model = tf.keras.Model(inputs, clip_floor_layer()(4, name="act")(inputs))
    load_arrays(model, {"act/ceiling": 2.5})
    save_arrays(model, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as stored:
        assert stored.files == ["act/ceiling"] and float(stored["act/ceiling"]) == 2.5


def change(name, value):
    return lambda arrays: arrays | {name: value}


def without(name):
    return lambda arrays: {n: v for n, v in arrays.items() if n != name}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without("logits/bias"), r"no array 'logits/bias' of shape \(3,\): add it"),
        (change("logits/bia", np.zeros(3)), "array 'logits/bia' belongs to no weight of model 're"),
        (
            change("logits/kernel", np.zeros((3, 2))),
            r"'logits/kernel' has shape \(3, 2\), the model wants \(2, 3\): its axes .*from_torch",
        ),
        (
            change("logits/kernel", np.zeros((4, 3))),
            r"'logits/kernel' has shape \(4, 3\), the model wants \(2, 3\): build the model with",
        ),
        (change("logits/bias", np.array([0, np.nan, 0])), r"'logits/bias' is nan at \(1,\)"),
        (change("logits/bias", np.array([0, 0, -np.inf])), r"'logits/bias' is -inf at \(2,\)"),
        (change("logits/bias", np.array([1e300, 0, 0])), r"'logits/bias' is 1e\+300 at \(0,\)"),
        (change("logits/bias", np.array(["a"] * 3)), "'logits/bias' holds <U1"),
        (change("logits/bias", np.zeros(3, complex)), "'logits/bias' holds complex128"),
    ],
)
@pytest.mark.parametrize("as_file", [False, True])
def test_arrays_that_do_not_fit_are_refused(tmp_path, rng, damage, message, as_file):
    model = small()
    before = model.get_weights()
    source = damage({name: rng.random(shape) for name, shape in NAMES.items()})
    if as_file:
        np.savez(tmp_path / "a.npz", **source)
        source, message = tmp_path / "a.npz", r"a\.npz: .*" + message
    with pytest.raises(ModelFileError, match=message):
        load_arrays(model, source)
    assert all((a == b).all() for a, b in zip(before, model.get_weights()))


def test_all_problems_are_listed(rng):
    arrays = {name: rng.random(shape) for name, shape in NAMES.items()}
    del arrays["conv0/kernel"]
    arrays |= {"logits/bias": np.zeros(2), "more": np.zeros(1)}
    with pytest.raises(ModelFileError) as caught:
        load_arrays(small(), arrays)
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("content", [None, b"", b"no zip", "cut", "pickle"])
def test_files_that_cannot_be_read_are_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    if content == "pickle":
        np.savez(path, a=np.array([{}]))
    elif content == "cut":
        save_arrays(small(), path)
        path.write_bytes(path.read_bytes()[:-50])
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"a\.npz: (no |is no |array .a.: holds pickled)"):
        load_arrays(small(), path)


def test_pytorchs_layout_gives_pytorchs_function(rng):
    """The layers as PyTorch's documentation defines them, in loops."""
    tf = stack.tensorflow()
    layers = tf.keras.layers
    x = inputs = layers.Input((5, 5, 2))
    x = layers.ZeroPadding2D(1)(x)
    x = layers.Conv2D(3, 3, 2, name="first")(x)
    x = layers.BatchNormalization(name="norm")(x)  # its epsilon is 1e-3, PyTorch's 1e-5
    x = layers.DepthwiseConv2D((2, 3), depth_multiplier=2, name="each", use_bias=False)(x)
    x = layers.Reshape((2, 6))(x)
    x = layers.Conv1D(4, 2, name="line")(x)
    outputs = layers.Dense(2, name="out")(layers.Flatten()(x))
    model = tf.keras.Model(inputs, outputs)
    state = {
        "c.weight": rng.normal(size=(3, 2, 3, 3)),
        "c.bias": rng.normal(size=3),
        "bn.weight": rng.normal(size=3),
        "bn.bias": rng.normal(size=3),
        "bn.running_mean": rng.normal(size=3),
        "bn.running_var": np.array([1e-4, 0.3, 2.0]),
        "bn.num_batches_tracked": np.array(7),
        "d.weight": rng.normal(size=(6, 1, 2, 3)),
        "e.weight": rng.normal(size=(4, 6, 2)),
        "e.bias": rng.normal(size=4),
        "fc.weight": rng.normal(size=(2, 4)),
        "fc.bias": rng.normal(size=2),
    }
    names = {"first": "c", "norm": "bn", "each": "d", "line": "e", "out": "fc"}
    load_arrays(model, from_torch(model, state, names))

    image = rng.normal(size=(2, 5, 5))  # channels first, as there
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    maps = np.zeros((3, 3, 3))
    for o in range(3):
        for row in range(3):
            for column in range(3):
                window = padded[:, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
                maps[o, row, column] = (window * state["c.weight"][o]).sum() + state["c.bias"][o]
    for o in range(3):
        mean, variance = state["bn.running_mean"][o], state["bn.running_var"][o]
        maps[o] = (maps[o] - mean) / np.sqrt(variance + 1e-5)
        maps[o] = maps[o] * state["bn.weight"][o] + state["bn.bias"][o]
    each = np.zeros((6, 2, 1))
    for o in range(6):  # output o reads input o // 2
        for row in range(2):
            each[o, row, 0] = (maps[o // 2, row : row + 2] * state["d.weight"][o, 0]).sum()
    line = [(each[:, :, 0] * state["e.weight"][o]).sum() + state["e.bias"][o] for o in range(4)]
    wanted = state["fc.weight"] @ line + state["fc.bias"]
    found = model(tf.constant(image.transpose(1, 2, 0)[None], tf.float32)).numpy()[0]
    np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_states_of_other_networks_are_refused(rng):
    tf = stack.tensorflow()
    inputs = tf.keras.Input((2,))
    model = tf.keras.Model(inputs, tf.keras.layers.Dense(3, name="out")(inputs))
    with pytest.raises(ModelFileError, match=r"layer 'out' \(Dense\): names has no prefix"):
        from_torch(model, {}, {"other": "fc"})
    with pytest.raises(ModelFileError, match=r"'out' .*no array 'fc.weight'"):
        from_torch(model, {}, {"out": "fc"})
    with pytest.raises(ModelFileError, match=r"'fc.weight' has shape \(3,\), wanted 2 axes"):
        from_torch(model, {"fc.weight": np.zeros(3)}, {"out": "fc"})
    model = tf.keras.Model(inputs, clip_floor_layer()(4, name="act")(inputs))
    with pytest.raises(ModelFileError, match=r"'act' \(ClipFloor\): its weights are not transl"):
        from_torch(model, {}, {"act": "a"})
