"""ONNX models come in as Keras files: what they compute, what is refused."""

import subprocess

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import cli
from nengo_tactile.errors import ModelFileError, StackError, TactileError
from nengo_tactile.exchange import onnx_in

onnx = pytest.importorskip("onnx", reason="needs onnx2keras: pip install '.[onnx]'")
pytest.importorskip("onnx.reference")
RNG = np.random.default_rng(0)


def node(kind, inputs, output, **attributes):
    return onnx.helper.make_node(kind, inputs, [output], name=f"/{output}", **attributes)


def model_of(nodes, weights, shape, n_out, path, opset=15):
    """Write a model from "x" to "y"."""
    kind = onnx.TensorProto.FLOAT
    inputs = [onnx.helper.make_tensor_value_info("x", kind, ["n", *shape])]
    outputs = [onnx.helper.make_tensor_value_info("y", kind, ["n", n_out])]
    held = [onnx.numpy_helper.from_array(each, name) for name, each in weights.items()]
    graph = onnx.helper.make_graph(nodes, "net", inputs, outputs, held)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    model.ir_version = 8
    onnx.save(model, path)
    return model


def weights(*shape):
    return (RNG.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


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


def test_a_residual_network_comes_in_and_spikes(tmp_path):
    pytest.importorskip("onnx2keras", reason="needs onnx2keras: pip install '.[onnx]'")
    residual(tmp_path / "net.onnx", opset=13)
    (tmp_path / "net.keras").write_text("an older one, which is replaced")
    nt.from_onnx(tmp_path / "net.onnx", tmp_path / "net.keras")
    model = residual(tmp_path / "net.onnx")
    file, out = str(tmp_path / "net.onnx"), str(tmp_path / "net.keras")
    assert cli.main(["import", file, "--out", out]) == 0
    assert cli.main(["import", file, "--out", out, "--dt", "0.001"]) == 2
    x = RNG.random((8, 2, 8, 6)).astype(np.float32)
    wanted = onnx.reference.ReferenceEvaluator(model).run(None, {"x": x})[0]
    assert nt.check(tmp_path / "net.keras").ok
    last = np.ascontiguousarray(x.transpose(0, 2, 3, 1))
    network = nt.convert(tmp_path / "net.keras", last, nt.IF(), n_steps=512)
    found = nt.run(network, last, progress=False).predict()
    np.testing.assert_allclose(found, wanted, atol=0.03 * np.abs(wanted).max())


def test_what_is_refused(tmp_path, monkeypatch):
    path, out = tmp_path / "net.onnx", tmp_path / "net.keras"
    path.write_bytes(b"\x08\x07 no model")
    with pytest.raises(ModelFileError, match=r"net\.onnx: is no ONNX model"):
        nt.from_onnx(path, out)
    with pytest.raises(TactileError, match=r"ends in \.keras"):
        nt.from_onnx(path, tmp_path / "net.h5")
    monkeypatch.setattr(
        onnx_in.subprocess,
        "run",
        lambda *_, **__: subprocess.CompletedProcess([], onnx_in._MISSING, b"", b"No module"),
    )
    with pytest.raises(StackError, match=r"onnx2keras, which is not here .*nengo-tactile\[onnx\]"):
        nt.from_onnx(path, out)
    assert not out.exists()


def test_what_is_no_chain_of_layers_is_refused(tmp_path):
    pytest.importorskip("onnx2keras", reason="needs onnx2keras: pip install '.[onnx]'")
    path, out = tmp_path / "net.onnx", tmp_path / "net.keras"
    held = {"w": weights(3, 5), "half": np.float32([0.5])}
    nodes = [node("Gemm", ["x", "w"], "g", transB=1), node("Pow", ["g", "half"], "y")]
    model = model_of(nodes, held, (5,), 3, path)
    with pytest.raises(ModelFileError, match=r"onnx: node '/y' \(Pow\) has no layer"):
        nt.from_onnx(path, out)
    onnx.save(model, path, save_as_external_data=True, location="else", size_threshold=0)
    with pytest.raises(ModelFileError, match="weights in another file"):
        nt.from_onnx(path, out)
    assert not out.exists()
