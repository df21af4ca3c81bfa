"""Frameworks that share an environment with nengo-tactile, and something small done with each."""

import dataclasses
import tempfile
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Other:
    """A framework beside ours.

    Attributes
    ----------
    modules : tuple of str
        What is imported of it.
    uses : tuple of callable
        Something small done with it, which raises if it is wrong.
    distributions : tuple of str
        To be installed.
    backend : str or None
        Of Keras 3, which the process asks for in KERAS_BACKEND, as users do.
    """

    modules: tuple
    uses: tuple
    distributions: tuple
    backend: str | None = None


def use_torch():
    """A gradient through a convolution."""
    import torch

    layer = torch.nn.Conv2d(1, 2, 3, bias=False)
    layer(torch.ones(1, 1, 5, 5)).sum().backward()
    assert layer.weight.grad.eq(9).all() and torch.arange(4).sum() == 6


def use_onnxruntime():
    """A session of a model that comes with it."""
    import numpy as np
    import onnxruntime
    from onnxruntime.datasets import get_example

    session = onnxruntime.InferenceSession(get_example("sigmoid.onnx"))
    (source,) = session.get_inputs()
    (found,) = session.run(None, {source.name: np.zeros(source.shape, np.float32)})
    assert (found == 0.5).all()


def use_sinabs():
    """A step of integrate-and-fire neurons."""
    import sinabs.layers
    import torch

    assert sinabs.layers.IAF()(torch.ones(1, 1, 2)).eq(1).all()


def use_norse():
    """Steps of LIF neurons until they fire."""
    import norse.torch
    import torch

    cell, state, spikes = norse.torch.LIFCell(), None, 0
    for _ in range(5):
        found, state = cell(torch.full((1, 2), 50.0), state)
        spikes += found.sum()
    assert spikes > 0


def use_snntorch():
    """A step of leaky neurons."""
    import snntorch
    import torch

    neuron = snntorch.Leaky(beta=0.9)
    spikes, _ = neuron(torch.full((1, 2), 2.0), neuron.init_leaky())
    assert spikes.eq(1).all()


def use_spikingjelly():
    """A step of integrate-and-fire neurons."""
    import torch
    from spikingjelly.activation_based import neuron

    assert neuron.IFNode()(torch.ones(1, 2)).eq(1).all()


def use_tonic():
    """Events as an image."""
    import numpy as np
    import tonic.transforms

    kind = np.dtype([(name, int) for name in "xytp"])
    events = np.array([(1, 0, 5, 1), (1, 0, 9, 1)], kind)
    assert tonic.transforms.ToImage((2, 2, 2))(events)[1, 0, 1] == 2


def use_nir():
    """A graph written and read again."""
    import nir
    import numpy as np

    neurons = nir.IF(r=np.ones(2), v_threshold=np.ones(2))
    graph = nir.NIRGraph.from_list(nir.Affine(np.ones((2, 3)), np.zeros(2)), neurons)
    with tempfile.TemporaryDirectory() as folder:
        nir.write(Path(folder) / "graph.nir", graph)
        assert set(nir.read(Path(folder) / "graph.nir").nodes) == set(graph.nodes)


def use_jax():
    """A compiled gradient."""
    import jax

    slope = jax.jit(jax.grad(lambda x: (x**2).sum()))(jax.numpy.arange(3.0))
    assert slope.sum() == 6


def use_keras():
    """A model of this backend trained for a step, and its prediction."""
    import keras
    import numpy as np

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    x = np.ones((4, 3), np.float32)
    model.fit(x, np.ones((4, 2)), verbose=0)
    assert model.predict(x, verbose=0).shape == (4, 2)


OTHERS = {
    "torch": Other(("torch",), (use_torch,), ("torch",)),
    "onnxruntime": Other(("onnxruntime",), (use_onnxruntime,), ("onnxruntime",)),
    "sinabs": Other(("sinabs.layers",), (use_sinabs,), ("sinabs",)),
    "norse": Other(("norse.torch",), (use_norse,), ("norse",)),
    "snntorch": Other(("snntorch",), (use_snntorch,), ("snntorch",)),
    "spikingjelly": Other(
        ("spikingjelly.activation_based.neuron",), (use_spikingjelly,), ("spikingjelly",)
    ),
    "tonic": Other(("tonic",), (use_tonic,), ("tonic",)),
    "nir": Other(("nir",), (use_nir,), ("nir",)),
    "jax": Other(("jax",), (use_jax,), ("jax",)),
    "keras on torch": Other(("keras",), (use_keras, use_torch), ("keras", "torch"), "torch"),
    "keras on jax": Other(("keras",), (use_keras, use_jax), ("keras", "jax"), "jax"),
}
OTHERS["all of them"] = Other(
    *(
        tuple(dict.fromkeys(part for other in OTHERS.values() for part in getattr(other, name)))
        for name in ("modules", "uses", "distributions")
    )
)
