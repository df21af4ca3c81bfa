"""TensorFlow's two-dimensional convolutions against plain sums: which shapes are wrong.

Needs NumPy and TensorFlow only, so that its output can go into a report as it is. Run it once as
it is and once with TF_ENABLE_ONEDNN_OPTS=0 in the environment, where nothing is wrong.
"""

import argparse
import itertools
import os
import platform
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

CHOICES = {
    "samples": (1, 2, 4, 32),
    "height": range(1, 9),
    "width": range(1, 9),
    "rows": range(1, 5),
    "columns": range(1, 5),
    "vertical stride": range(1, 4),
    "horizontal stride": range(1, 4),
    "padding": ("SAME", "VALID"),
    "groups": (1, 1, 1, 2, 3),
    "channels": (1, 1, 2, 3),  # per group
    "filters": (1, 2, 3, 8, 16),  # per group
}


def plain(x, kernel, strides, padding, groups):
    """The convolution as a sum over the kernel's places."""
    pads, sizes = [], []
    for axis in (0, 1):
        length, reach, stride = x.shape[1 + axis], kernel.shape[axis], strides[axis]
        size = -(-length // stride)
        missing = max((size - 1) * stride + reach - length, 0)
        if padding == "VALID":
            size, missing = (length - reach) // stride + 1, 0
        pads.append((missing // 2, missing - missing // 2))
        sizes.append(size)
    x = np.pad(x.astype(float), ((0, 0), *pads, (0, 0)))
    total = np.zeros((len(x), *sizes, groups, kernel.shape[3] // groups))
    for row, column in itertools.product(range(kernel.shape[0]), range(kernel.shape[1])):
        part = x[:, row:, column:][:, :: strides[0], :: strides[1]][:, : sizes[0], : sizes[1]]
        part = part.reshape(*part.shape[:3], groups, 1, -1)
        weights = kernel[row, column].reshape(part.shape[-1], groups, -1).swapaxes(0, 1)
        total += (part @ weights)[..., 0, :]
    return total.reshape(*total.shape[:3], -1)


def one(shape, rng):
    """Try one shape; return whether it is wrong, and the height and width of its output."""
    groups = shape["groups"]
    size = shape["samples"], shape["height"], shape["width"], groups * shape["channels"]
    x = rng.normal(size=size).astype(np.float32)
    size = shape["rows"], shape["columns"], shape["channels"], groups * shape["filters"]
    kernel = rng.normal(size=size).astype(np.float32)
    strides = shape["vertical stride"], shape["horizontal stride"]
    wanted = plain(x, kernel, strides, shape["padding"], groups)
    found = tf.nn.conv2d(x, kernel, strides, shape["padding"]).numpy()
    wrong = not np.abs(found - wanted).max() <= 1e-3 * max(1, np.abs(wanted).max())
    return wrong, *wanted.shape[1:3]


def speed():
    """Print processor seconds of prediction and of an epoch, 256 images, after a warm-up."""
    layers, x = tf.keras.layers, tf.keras.Input((32, 32, 3))
    inputs = x
    for filters, stride in ((16, 1), (16, 1), (32, 1), (32, 1), (64, 2), (64, 2)):
        x = layers.Conv2D(filters, 3, strides=stride, padding="same", activation="relu")(x)
        x = layers.BatchNormalization()(x)
    model = tf.keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))
    model.compile("adam", "mse")
    rng = np.random.default_rng(0)
    x, y = rng.random((256, 32, 32, 3), np.float32), rng.random((256, 10), np.float32)
    for name, call in (
        ("prediction", lambda: model.predict(x, verbose=0, batch_size=64)),
        ("epoch", lambda: model.fit(x, y, verbose=0, batch_size=64)),
    ):
        call()
        start = time.process_time()
        call()
        print(f"{name}: {time.process_time() - start:.2f} s of processor time")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", action="store_true", help="seconds of a network instead")
    options = parser.parse_args()
    if options.speed:
        return speed()
    rng = np.random.default_rng(options.seed)
    tried, wrong = 0, []
    for _ in range(options.shapes):
        shape = {name: rng.choice(list(values)).item() for name, values in CHOICES.items()}
        fits = shape["rows"] <= shape["height"] and shape["columns"] <= shape["width"]
        if shape["padding"] == "VALID" and not fits:
            continue
        tried += 1
        is_wrong, height, width = one(shape, rng)
        if is_wrong:
            wrong.append({**shape, "output height": height, "output width": width})
    onednn = os.environ.get("TF_ENABLE_ONEDNN_OPTS", "unset")
    print(f"TensorFlow {tf.__version__}, {platform.machine()}, TF_ENABLE_ONEDNN_OPTS {onednn}")
    print(f"{len(wrong)} of {tried} convolutions are wrong (seed {options.seed})")
    for name in wrong[0] if wrong else ():
        values = sorted({shape[name] for shape in wrong}, key=str)
        print(f"  {name} of the wrong ones: {', '.join(map(str, values))}")
    x = np.arange(1, 7, dtype=np.float32).reshape(2, 3, 1, 1)
    kernel = np.ones((1, 2, 1, 1), np.float32)
    print("The least one: images one wide, a kernel of 1 x 2 ones, strides (1, 2), SAME")
    print(f"  input      {x.ravel()}, which is also the right output")
    print(f"  TensorFlow {tf.nn.conv2d(x, kernel, (1, 2), 'SAME').numpy().ravel()}")


if __name__ == "__main__":
    main()
