"""ONNX models as Keras files, by onnx2keras in a process of its own.

onnx2keras needs Keras 3 under TensorFlow's name, where a process that ran NengoDL has Keras 2, and
files come from anywhere: so it runs apart, and what it makes is believed only where it computes
what ONNX's own reference does.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from nengo_tactile import files
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import ConversionError, ModelFileError, StackError
from nengo_tactile.files import path_of

#: What is installed for ONNX.
EXTRA = "pip install 'nengo-tactile[onnx]'"
DOOR = Door(ModelFileError, "export the model again")
#: How the process ends where a library is missing, and where the model cannot be had.
_MISSING, _REFUSED = 3, 4
#: Reads a model from standard input and writes a Keras file.
_CHILD = """
import re, sys
def end(text, code={refused}):
    print("\\n" + text, file=sys.stderr)
    sys.exit(code)
try:
    import onnx, onnx.reference, onnx.version_converter, onnx2keras
except ImportError as error:
    end(str(error), {missing})
import numpy as np
content = sys.stdin.buffer.read()
try:
    model = onnx.load_from_string(content)
    if any(each.data_location == onnx.TensorProto.EXTERNAL for each in model.graph.initializer):
        end("has weights in another file, which is never read: export it with weights inside")
    onnx.checker.check_model(model)
except Exception as error:
    end("is no ONNX model that its own checker takes (%s)" % str(error).strip().splitlines()[0])
graph = model.graph
held = {{each.name for each in graph.initializer}}
inputs = [each for each in graph.input if each.name not in held]
if len(inputs) != 1 or len(graph.output) != 1:
    end("has %d inputs and %d outputs: one of each is read" % (len(inputs), len(graph.output)))
sizes = [each.dim_value for each in inputs[0].type.tensor_type.shape.dim][1:]
if not sizes or min(sizes) < 1:
    end("does not say the shape of its input, only %s: export it with fixed sizes" % sizes)
import keras
from onnx2keras import onnx_to_keras
images = len(sizes) == 3
try:
    made = onnx_to_keras(
        model, [inputs[0].name], [tuple(sizes)], "renumerate", False, change_ordering=images
    )
except BaseException as error:
    end("onnx2keras has no layers for it (%s: %s)" % (type(error).__name__, error))
def plain(layer):
    # it makes axes of channels first again where a model flattens them
    if not isinstance(layer, keras.layers.Lambda):
        return layer.__class__.from_config(layer.get_config())
    if images and layer.name.endswith("_CHW"):
        return keras.layers.Permute((3, 1, 2), name=layer.name)
    number = re.match("LAYER_([0-9]+)", layer.name)
    node = graph.node[int(number[1])] if number else layer
    kind = getattr(node, "op_type", "Lambda")
    end("node %r (%s) has no layer of Keras in onnx2keras, only code of Python" % (node.name, kind))
def called(layer, *args, mask=None, **options):  # Permute has no masks, as code of Python has
    return layer(*args, **options)
clone = keras.models.clone_model(made, clone_function=plain, call_function=called)
clone.set_weights(made.get_weights())
x = np.random.default_rng(0).random((4, *sizes)).astype(np.float32)
fixed = inputs[0].type.tensor_type.shape.dim[0].dim_value
x = x[: fixed or 4]
# of operations before 15 the reference normalises batches by themselves
newer = model
if all(each.version < 15 for each in model.opset_import if each.domain in ("", "ai.onnx")):
    newer = onnx.version_converter.convert_version(model, 15)
wanted = onnx.reference.ReferenceEvaluator(newer).run(None, {{inputs[0].name: x}})[0]
found = clone.predict(x.transpose(0, 2, 3, 1) if images else x, verbose=0)
if found.ndim == 4:
    found = found.transpose(0, 3, 1, 2)
off = np.abs(found - wanted).max() if found.shape == wanted.shape else np.inf
if not off <= 1e-3 * np.abs(wanted).max() + 1e-6:
    end("is another model as onnx2keras has it: outputs differ by %g" % off)
clone.save(sys.argv[1])
"""


def from_onnx(file: str | Path, out: str | Path) -> Path:
    """Make a Keras file of an ONNX model, for `nengo_tactile.check` and `nengo_tactile.convert`.

    Parameters
    ----------
    file : path
        ``net.onnx``, with one input of fixed sizes (but for samples) and one output.
    out : path
        ``net.keras``: a model of Keras 3. Images have channels last.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    ModelFileError
        For damaged files, what onnx2keras has no layers for, and models that compute something
        else than ONNX's reference.
    ConversionError
        If ``out`` is not named ``.keras``.
    StackError
        Where onnx2keras is not installed.
    """
    out = path_of(out)
    if out.suffix != ".keras":
        raise ConversionError(f"out is {out}: give a name that ends in .keras")
    files.check_writable(out.parent)
    with DOOR.opened(path_of(file)) as (content, _), tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "model.keras"
        code = _CHILD.format(missing=_MISSING, refused=_REFUSED)
        environment = {**os.environ, "TF_USE_LEGACY_KERAS": "0", "KERAS_BACKEND": "tensorflow"}
        os.lseek(content.fileno(), 0, os.SEEK_SET)
        done = subprocess.run(
            [sys.executable, "-c", code, str(made)],
            stdin=content,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
        )
        told = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["nothing"]
        if done.returncode == _MISSING:
            raise StackError(f"ONNX is read by onnx2keras, which is not here ({told[-1]}): {EXTRA}")
        if done.returncode:
            raise DOOR.refusal(file, told[-1][:400])
        with files.atomic_write(out, "wb") as target:
            target.write(made.read_bytes())
    return out


__all__ = ["from_onnx"]
