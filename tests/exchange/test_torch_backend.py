"""A Keras 3 model trained on the torch backend, or on TensorFlow's, comes in as a .keras file.

In a process of its own, of this Python or of the one that NENGO_TACTILE_READERS names.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

import nengo_tactile as nt

MAKE = """
import sys
import keras
import numpy as np

keras.utils.set_random_seed(0)
la = keras.layers
inputs = keras.Input((8, 8, 1))
x = la.BatchNormalization()(la.Conv2D(4, 3, padding="same", use_bias=False)(inputs))
x = la.AveragePooling2D(2)(la.ReLU()(x))
model = keras.Model(inputs, la.Dense(3, activation="softmax")(la.Flatten()(x)))
rng = np.random.default_rng(0)
x, y = rng.random((64, 8, 8, 1), dtype="float32"), rng.integers(0, 3, 64)
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(x, y, epochs=2, verbose=0)
assert keras.backend.backend() == sys.argv[2]
model.save(sys.argv[1] + "/model.keras")
np.savez(sys.argv[1] + "/wanted.npz", x=x, outputs=model.predict(x, verbose=0))
"""


@pytest.mark.parametrize("backend", ["torch", "tensorflow"])
def test_a_model_of_that_backend_is_converted(backend, tmp_path):
    environment = {**os.environ, "KERAS_BACKEND": backend}
    pythons = [os.environ.get("NENGO_TACTILE_READERS"), sys.executable]
    for python in filter(None, pythons):
        known = subprocess.run(
            [python, "-c", f"import {backend}, keras"], capture_output=True, env=environment
        )
        if not known.returncode:
            break
    else:
        pytest.skip(
            f"needs {backend} and Keras 3: set NENGO_TACTILE_READERS to a Python that has both"
        )
    done = subprocess.run(
        [python, "-c", MAKE, tmp_path, backend], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    wanted = np.load(tmp_path / "wanted.npz")
    network = nt.convert(tmp_path / "model.keras", wanted["x"], nt.IF(), n_steps=256)
    recording = nt.run(network, wanted["x"][:16])
    np.testing.assert_allclose(recording.predict(), wanted["outputs"][:16], atol=0.05)
