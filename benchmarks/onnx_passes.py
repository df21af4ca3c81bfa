"""Dense inference of a Keras model in ONNX Runtime, float32 and 8 bits, as an anchor of speed.

No script: `event_speed.py` uses it where onnxruntime and onnx are installed, which only this
benchmark needs. The model is written layer by layer as an ONNX graph; its 8-bit form is ONNX
Runtime's own static quantisation (weights by channel, activations by the samples).
"""

import importlib.util
import tempfile
from pathlib import Path

import numpy as np

from nengo_tactile.conversion.network import plain


def available():
    """Whether ONNX Runtime and onnx are installed."""
    return all(map(importlib.util.find_spec, ("onnxruntime", "onnx")))


def passes(model, x, threads):
    """Functions that run one pass of a minibatch, {"ONNX fp32": work, "ONNX int8": work}.

    Parameters
    ----------
    model : Keras model
    x : (n_samples, ...) float32 array
        Also decides the ranges of 8-bit activations.
    threads : int

    Returns
    -------
    dict of str to callable
        Which return the outputs.
    """
    import onnx
    from onnxruntime import quantization as quant

    with tempfile.TemporaryDirectory() as folder:
        names = [str(Path(folder, name)) for name in ("plain", "ready", "eight")]
        onnx.save(onnx_model(plain(model)), names[0])
        quant.quant_pre_process(names[0], names[1], skip_symbolic_shape=True)
        quant.quantize_static(
            *names[1:],
            _Samples(x),
            per_channel=True,
            quant_format=quant.QuantFormat.QDQ,
            activation_type=quant.QuantType.QUInt8,
            weight_type=quant.QuantType.QInt8,
        )
        files = {"ONNX fp32": names[0], "ONNX int8": names[2]}
        return {name: _work(file, x, threads) for name, file in files.items()}


class _Samples:
    """What ONNX Runtime measures activations on, one after another."""

    def __init__(self, x):
        self.left = [x[k : k + 1] for k in range(len(x))]

    def get_next(self):
        """The next sample, or None."""
        return {"input": self.left.pop(0)} if self.left else None


def _work(file, x, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    # threads that wait by spinning would take the processors of whoever has the next turn
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda x=x: session.run(None, {"input": x})[0]


def onnx_model(layers):
    """An ONNX model of a Keras model's layers, channels first behind a transposition.

    Parameters
    ----------
    layers : Layers

    Raises
    ------
    NotImplementedError
        For kinds of layers that the benchmark's networks have not.
    """
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants, names = [], [], {}

    def constant(name, values):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
        return name

    def node(kind, inputs, output, **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    for layer in layers:
        inputs, name, weights = [names[each] for each in layer.sources], layer.name, layer.weights
        made = [constant(f"{name}/{k}", _turned(w)) for k, w in enumerate(weights)]
        config = layer.config
        match layer.kind:
            case "InputLayer":
                names[name] = node("Transpose", ["input"], f"{name}/first", perm=[0, 3, 1, 2])
            case "Rescaling":
                scale, offset = (
                    constant(f"{name}/{key}", np.reshape(config[key], (1, -1, 1, 1)))
                    for key in ("scale", "offset")
                )
                product = node("Mul", [*inputs, scale], f"{name}/product")
                names[name] = node("Add", [product, offset], name)
            case "Conv2D":
                pads = _pads(layer)
                names[name] = node(
                    "Conv", [*inputs, *made], name, strides=config["strides"], pads=pads
                )
            case "BatchNormalization":
                epsilon = config["epsilon"]
                names[name] = node("BatchNormalization", [*inputs, *made], name, epsilon=epsilon)
            case "ReLU":
                names[name] = node("Relu", inputs, name)
            case "Add":
                names[name] = node("Add", inputs, name)
            case "MaxPooling2D":
                sides = {"kernel_shape": config["pool_size"], "strides": config["strides"]}
                names[name] = node("MaxPool", inputs, name, **sides)
            case "GlobalAveragePooling2D":
                pooled = node("GlobalAveragePool", inputs, f"{name}/pooled")
                names[name] = node("Flatten", [pooled], name)
            case "Flatten":
                back = node("Transpose", inputs, f"{name}/last", perm=[0, 2, 3, 1])
                names[name] = node("Flatten", [back], name)
            case "Dense":
                names[name] = node("Gemm", [*inputs, *made], name)
            case "Dropout":
                names[name] = inputs[0]
            case _:
                raise NotImplementedError(layer.label)
    last = names[name]
    values = (("input", layers.input_shape), (last, layers.output_shape))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
        for name, shape in values
    ]
    graph = helper.make_graph(nodes, "model", ends[:1], ends[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _turned(weights):
    """A kernel with filters and channels first."""
    return weights.transpose(3, 2, 0, 1) if weights.ndim == 4 else weights


def _pads(layer):
    """Zeros before and behind each axis, as TensorFlow has them."""
    sizes, config = (layer.input_shapes[0][:2], layer.shape[:2]), layer.config
    if config["padding"] == "valid":
        return [0, 0, 0, 0]
    axes = zip(*sizes, config["strides"], config["kernel_size"])
    both = [max((n - 1) * stride + side - size, 0) for size, n, stride, side in axes]
    return [*(pad // 2 for pad in both), *(pad - pad // 2 for pad in both)]
