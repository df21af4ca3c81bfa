"""Models of ONNX, as torch exports them."""

import numpy as np


def node(kind, inputs, output, **attributes):
    from onnx import helper

    return helper.make_node(kind, inputs, [output], name=f"/{output}", **attributes)


def model_of(nodes, weights, shape, n_out, path, opset=15):
    """Write a model from "x" to "y"."""
    import onnx
    from onnx import helper, numpy_helper

    kind = onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("x", kind, ["n", *shape])]
    outputs = [helper.make_tensor_value_info("y", kind, ["n", n_out])]
    held = [numpy_helper.from_array(each, name) for name, each in weights.items()]
    graph = helper.make_graph(nodes, "net", inputs, outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.save(model, path)
    return model


def weights(*shape, seed=0):
    rng = np.random.default_rng((seed, *shape))
    return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def residual(path, opset=15):
    """As torch exports them: batch normalisation, a shortcut, both poolings, channels first."""
    held = {
        "w1": weights(4, 2, 3, 3), "w2": weights(4, 4, 3, 3), "b2": weights(4),
        "scale": np.float32([1, 0.5, 2, 1.5]), "shift": weights(4), "mean": weights(4),
        "var": np.float32([1, 2, 0.5, 1]), "wd": weights(3, 16), "bd": weights(3),
    }  # fmt: skip
    same = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        node("Conv", ["x", "w1"], "c1", **same),
        node("BatchNormalization", ["c1", "scale", "shift", "mean", "var"], "bn"),
        node("Relu", ["bn"], "r1"),
        node("Conv", ["r1", "w2", "b2"], "c2", **same),
        node("Add", ["c2", "r1"], "sum"),
        node("Relu", ["sum"], "r2"),
        node("AveragePool", ["r2"], "pool", kernel_shape=[4, 3], strides=[4, 3]),
        node("Flatten", ["pool"], "flat"),
        node("Gemm", ["flat", "wd", "bd"], "y", transB=1),
    ]
    return model_of(nodes, held, (2, 8, 6), 3, path, opset)
