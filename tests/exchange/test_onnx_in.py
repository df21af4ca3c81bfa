"""ONNX models come in as Keras files: what they compute, what is refused."""

import numpy as np
import pytest

import nengo_tactile as nt
from nengo_tactile import cli
from nengo_tactile.errors import ModelFileError, StackError, TactileError
from nengo_tactile.exchange import onnx_in
from nengo_tactile.exchange.onnx_in import Converter
from tests.support.onnx_models import model_of, node, residual, weights

onnx = pytest.importorskip("onnx", reason="needs onnx2keras: pip install '.[onnx]'")
pytest.importorskip("onnx.reference")
RNG = np.random.default_rng(0)


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
    with pytest.raises(TactileError, match="seconds is 0: give a whole number of at least 1"):
        nt.from_onnx(path, out, seconds=0)
    monkeypatch.setattr(onnx_in, "_CHILD", "say('missing No module')")
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
    assert not out.exists()
    held = onnx.helper.make_node("Constant", [], ["w"], value=model.graph.initializer[0])
    held.attribute[0].t.data_location = onnx.TensorProto.EXTERNAL
    del model.graph.initializer[0]
    model.graph.node.insert(0, held)
    path.write_bytes(model.SerializeToString())
    with Converter() as converter:  # one process for all
        with pytest.raises(ModelFileError, match="weights in another file"):
            converter.convert(path, out)
        process = converter._apart.process
        path.write_bytes(residual(path).SerializeToString())
        converter.convert(path, out)
        assert converter._apart.process is process
    assert process.poll() is not None and nt.check(out).ok
