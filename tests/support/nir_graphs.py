"""Small NIR graphs of all nodes, and the steps that their edges take."""

import dataclasses
import itertools

import numpy as np

#: Seconds of a step.
DT = 1e-3


@dataclasses.dataclass
class Case:
    """A graph.

    Attributes
    ----------
    nodes : dict of str to (kind, values)
    edges : list of (str, str)
    late : tuple of (str, str)
        Those of loops, which bring the step before.
    rules : dict
        Options of `from_nir`, in its words.
    """

    nodes: dict
    edges: list
    late: tuple = ()
    rules: dict = dataclasses.field(default_factory=dict)

    @property
    def shape(self):
        return tuple(self.nodes["input"][1]["shape"])

    def signal(self, n_steps=40, rate=0.3, seed=0):
        """Spikes with channels first, (n_steps, ...)."""
        rng = np.random.default_rng(seed)
        return (rng.random((n_steps, *self.shape)) < rate).astype(np.float32)


def row(*nodes):
    """A chain of (name, kind, values)."""
    names = [name for name, *_ in nodes]
    return {n: (kind, values) for n, kind, values in nodes}, list(itertools.pairwise(names))


def weights(*shape, seed=0, scale=1.0):
    return np.random.default_rng((seed, *shape)).normal(0.1, scale, shape).astype(np.float32)


def neurons(shape, **values):
    """Numbers for all neurons."""
    return {name: np.full(shape, value, np.float32) for name, value in values.items()}


def lif(shape, **change):
    settings = {"tau": 5e-3, "r": 5.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}
    return neurons(shape, **settings | change)


def cuba(shape, **change):
    settings = {"tau_syn": 3e-3, "tau_mem": 6e-3, "r": 6.0, "v_leak": 0.0, "v_threshold": 1.5}
    return neurons(shape, **settings | {"w_in": 2.0, "v_reset": 0.0} | change)


def integrate(shape, **change):
    return neurons(shape, **{"r": 1 / DT, "v_threshold": 1.0, "v_reset": 0.0} | change)


def conv(weight, **settings):
    return {"weight": weight, "bias": weights(len(weight), seed=9, scale=0.05), **settings}


def io(shape, out):
    return ("input", "Input", {"shape": np.array(shape)}), (
        "output",
        "Output",
        {"shape": np.array(out)},
    )


def cases():
    """{name: Case}."""
    start, end = io((2, 7, 6), (3,))
    image = (4, 4, 4)
    first = conv(
        weights(4, 2, 3, 3), input_shape=np.array([7, 6]), stride=np.array([2, 1]),
        padding=np.array([1, 0]), dilation=np.array([1, 1]), groups=1,
    )  # fmt: skip
    found = {}
    own = np.random.default_rng(1).uniform(0.5, 1.5, image).astype(np.float32)
    found["convolutions, sums of windows"] = Case(
        *row(
            start,
            ("conv", "Conv2d", first),
            ("first", "IF", integrate(image) | {"v_threshold": own}),
            ("pool", "SumPool2d", {"kernel_size": np.array([2, 2]), "stride": np.array([2, 2]),
                                   "padding": np.array([0, 0])}),
            ("same", "Conv2d", conv(weights(6, 2, 3, 2), stride=1, padding="same", dilation=1,
                                    groups=2)),
            ("second", "LIF", lif((6, 2, 2), v_leak=0.2, v_reset=-0.25)),
            ("mean", "AvgPool2d", {"kernel_size": 2, "stride": 1, "padding": 1}),
            ("scale", "Scale", {"scale": weights(6, 3, 3) + 1}),
            ("flat", "Flatten", {"start_dim": 0, "end_dim": -1}),
            ("dense", "Affine", {"weight": weights(3, 54, scale=0.5), "bias": weights(3)}),
            ("out", "CubaLIF", cuba((3,), v_threshold=20.0)),
            end,
        )
    )  # fmt: skip
    start, end = io((3, 9), (4, 4))
    found["one axis"] = Case(
        *row(
            start,
            ("conv", "Conv1d", conv(weights(4, 3, 3), input_shape=9, stride=1, padding=2,
                                    dilation=2, groups=1)),
            ("first", "LIF", lif((4, 9), tau=2.5e-3)),
            ("valid", "Conv1d", conv(weights(4, 4, 3), stride=2, padding="valid", dilation=1)),
            ("out", "LI", {name: value for name, value in lif((4, 4), v_leak=0.5).items()
                           if name in ("tau", "r", "v_leak")}),
            end,
        )
    )  # fmt: skip
    start, end = io((5,), (3,))
    nodes, edges = row(
        start,
        ("in", "Linear", {"weight": weights(8, 5)}),
        ("lif", "CubaLIF", cuba((8,))),
        ("out", "Affine", {"weight": weights(3, 8), "bias": weights(3)}),
        end,
    )
    loop = {"rec": ("Linear", {"weight": weights(8, 8, seed=3)})}
    nodes = {**{name: nodes[name] for name in ("input", "in", "lif")}, **loop, **nodes}
    found["a loop, and values at the end"] = Case(
        nodes, [*edges, ("rec", "lif"), ("lif", "rec")], (("rec", "lif"),)
    )
    steps = np.array([0, 1, 3, 0, 2]) * DT
    nodes, edges = row(
        start,
        ("late", "Delay", {"delay": steps}),
        ("in", "Linear", {"weight": weights(6, 5)}),
        ("first", "LIF", lif((6,))),
        ("axons", "Delay", {"delay": np.array([2, 0, 1, 5, 1, 0]) * DT}),
        ("mid", "Linear", {"weight": weights(5, 6)}),
        ("second", "Threshold", {"threshold": np.full(5, 0.5)}),
        ("skip", "Scale", {"scale": np.full(5, 0.75)}),
        (
            "third",
            "CubaLI",
            {k: v for k, v in cuba((5,)).items() if k[:2] != "v_" or k == "v_leak"},
        ),
        ("read", "Linear", {"weight": weights(3, 5)}),
        ("out", "I", {"r": np.full(3, 200.0)}),
        end,
    )
    found["delays, two ways, integrators"] = Case(nodes, [*edges, ("input", "skip")])
    start, end = io((2, 3, 4), (2, 3, 4))
    found["flattened neurons, in NIR's order"] = Case(
        *row(
            start,
            ("flat", "Flatten", {"start_dim": 1, "end_dim": 2}),
            ("out", "IF", integrate((2, 12), v_threshold=1.5)
             | {"r": np.linspace(0.5, 1.5, 24).reshape(2, 12) / DT}),
            end,
        ),
        rules={"reset": "subtract", "spikes_per_step": 3, "floor": -0.5},
    )  # fmt: skip
    return found
