"""ONNX models as Keras files, by onnx2keras in a process of its own.

onnx2keras needs Keras 3 under TensorFlow's name, where a process that ran NengoDL has Keras 2, and
files come from anywhere: so it runs apart, and what it makes is believed only where it computes
what ONNX's own reference does.
"""

import os
import tempfile
from pathlib import Path

from nengo_tactile import arguments, files
from nengo_tactile.doors.apart import Apart
from nengo_tactile.doors.plain import Door
from nengo_tactile.errors import ConversionError, ModelFileError, StackError
from nengo_tactile.files import path_of
from nengo_tactile.memory import told

#: What is installed for ONNX.
EXTRA = "pip install 'nengo-tactile[onnx]'"
DOOR = Door(ModelFileError, "export the model again")
#: What reading a file may take: memory, of which each byte of the file adds some (a model is there
#: as ONNX, as Keras layers, as both once more, and as a file), and seconds of a processor.
_BYTES, _BYTES_EACH, _SECONDS, _BYTES_A_SECOND = 2 << 30, 20, 15, 100_000
_ANSWER = rb"(made|missing|refused|memory) ?(.*)\n"
#: Makes Keras files of models whose descriptors come; says "made", "missing ..." or "refused ...".
_CHILD = """
import re
try:
    import onnx, onnx.reference, onnx.version_converter, onnx2keras, keras
except ImportError as error:
    say("missing %s" % error)
    sys.exit()
import numpy as np
class Refused(Exception):
    pass
def parts(message):
    # of a message of protobuf, and parts of these
    for _, value in message.ListFields():
        if isinstance(value, (int, float, str, bytes)):
            continue
        for part in [value] if hasattr(value, "ListFields") else value:
            if hasattr(part, "ListFields"):
                yield part
                yield from parts(part)
def read(content):
    try:
        model = onnx.load_from_string(content)
        if any(getattr(part, "data_location", 0) for part in parts(model)):
            raise Refused("has weights in another file, which is never read: export it with "
                          "weights inside")
        onnx.checker.check_model(model)
    except (Refused, MemoryError):
        raise
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise Refused("is no ONNX model that its own checker takes (%s)" % first)
    return model
def shape_of(model):
    graph = model.graph
    held = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in held]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise Refused("has %d inputs and %d outputs: one of each is read"
                      % (len(inputs), len(graph.output)))
    sizes = [each.dim_value for each in inputs[0].type.tensor_type.shape.dim]
    if len(sizes) < 2 or min(sizes[1:]) < 1:
        raise Refused("does not say the shape of its input, only %s: export it with fixed sizes"
                      % sizes[1:])
    return inputs[0].name, (sizes[0] if sizes[0] > 0 else 4, *sizes[1:])
def layers(model, name, sizes):
    images = len(sizes) == 3
    made = onnx2keras.onnx_to_keras(
        model, [name], [sizes], "renumerate", False, change_ordering=images
    )
    def plain(layer):
        # it makes axes of channels first again where a model flattens them
        if not isinstance(layer, keras.layers.Lambda):
            return layer.__class__.from_config(layer.get_config())
        if images and layer.name.endswith("_CHW"):
            return keras.layers.Permute((3, 1, 2), name=layer.name)
        number = re.match("LAYER_([0-9]+)", layer.name)
        node = model.graph.node[int(number[1])] if number else layer
        kind = getattr(node, "op_type", "Lambda")
        raise Refused("node %r (%s) has no layer of Keras in onnx2keras, only code of Python"
                      % (node.name, kind))
    def called(layer, *args, mask=None, **options):  # Permute has no masks, as code of Python has
        return layer(*args, **options)
    clone = keras.models.clone_model(made, clone_function=plain, call_function=called)
    clone.set_weights(made.get_weights())
    return clone
def by_reference(model, name, x):
    # of operations before 15 the reference normalises batches by themselves
    if all(each.version < 15 for each in model.opset_import if each.domain in ("", "ai.onnx")):
        model = onnx.version_converter.convert_version(model, 15)
    return onnx.reference.ReferenceEvaluator(model).run(None, {name: x})[0]
def by_keras(model, x):
    if x.ndim != 4:
        return np.asarray(model(x))
    y = np.asarray(model(x.transpose(0, 2, 3, 1)))
    return y.transpose(0, 3, 1, 2) if y.ndim == 4 else y
def attempt(what, make, *args):
    try:
        return make(*args)
    except (Refused, MemoryError):
        raise
    except BaseException as error:
        if "OOM" in str(error) or "allocate" in str(error):
            raise MemoryError
        raise Refused("%s (%s: %s)" % (what, type(error).__name__, error))
def convert(content):
    model = read(content)
    name, sizes = shape_of(model)
    made = attempt("onnx2keras has no layers for it", layers, model, name, sizes[1:])
    x = attempt("has no input that can be made", np.random.default_rng(0).random, sizes, np.float32)
    wanted = attempt("cannot be computed by ONNX's reference", by_reference, model, name, x)
    found = attempt("cannot be computed as onnx2keras has it", by_keras, made, x)
    wanted = np.asarray(wanted)
    same = found.shape == wanted.shape and wanted.dtype.kind == "f"
    off = np.abs(found - wanted).max(initial=0) if same else np.inf
    if not off <= 1e-3 * np.abs(wanted).max(initial=0) + 1e-6:
        raise Refused("is another model as onnx2keras has it: outputs differ by %g" % off)
    attempt("has layers that Keras does not save", made.save, sys.argv[2])
while (descriptor := received()) is not None:
    allow(*(int(number) for number in heard(100).split()))
    try:
        with open(descriptor, "rb") as file:
            convert(file.read())
        answer = "made"
    except MemoryError:
        answer = "memory"
    except Refused as error:
        answer = "refused %s" % error
    say(answer)
"""


class Converter:
    """A process that makes Keras files of ONNX models, one after another; a context.

    Parameters
    ----------
    seconds : int, optional
        Of a processor, for each.
    """

    def __init__(self, seconds: int | None = None) -> None:
        if seconds is not None:
            seconds = arguments.whole("seconds", seconds, error=ConversionError)
        self.seconds = seconds
        self._folder = tempfile.TemporaryDirectory()
        self._made = Path(self._folder.name) / "model.keras"
        self._apart: Apart | None = None

    def __enter__(self) -> "Converter":
        return self

    def __exit__(self, *args: object) -> None:
        if self._apart is not None:
            self._apart.end()
        self._folder.cleanup()

    def convert(self, file: str | Path, out: str | Path) -> Path:
        """Do what `from_onnx` does; after damage that ended the process, in a new one."""
        out = path_of(out)
        if out.suffix != ".keras":
            raise ConversionError(f"out is {out}: give a name that ends in .keras")
        files.check_writable(out.parent)
        with DOOR.opened(path_of(file)) as (content, size):
            n_bytes = _BYTES + _BYTES_EACH * size
            seconds = self.seconds or _SECONDS + size // _BYTES_A_SECOND
            apart = self._waiting()
            apart.hand(content)
            apart.say(b"%d %d" % (n_bytes, seconds))
            answer = apart.line(path_of(file), _ANSWER, n_bytes, seconds)
            kind, what = answer[1].decode(), answer[2].decode("utf-8", "replace")
            if kind == "missing":
                raise StackError(f"ONNX is read by onnx2keras, which is not here ({what}): {EXTRA}")
            if kind == "memory":
                raise DOOR.refusal(file, f"takes more than {told(n_bytes)} of memory")
            if kind == "refused":
                raise DOOR.refusal(file, what[:400])
            with files.atomic_write(out, "wb") as target:
                target.write(self._made.read_bytes())
        return out

    def _waiting(self):
        if self._apart is not None and not self._apart.waits:
            self._apart.end()
            self._apart = None
        if self._apart is None:
            environment = {**os.environ, "TF_USE_LEGACY_KERAS": "0", "KERAS_BACKEND": "tensorflow"}
            self._apart = Apart(
                _CHILD,
                DOOR,
                [str(self._made)],
                environment=environment,
                more="seconds= allows more",
            )
        return self._apart


def from_onnx(file: str | Path, out: str | Path, seconds: int | None = None) -> Path:
    """Make a Keras file of an ONNX model, for `nengo_tactile.check` and `nengo_tactile.convert`.

    Parameters
    ----------
    file : path
        ``net.onnx``, with one input of fixed sizes (but for samples) and one output.
    out : path
        ``net.keras``: a model of Keras 3. Images have channels last.
    seconds : int, optional
        Of a processor, that it may take; by default 20, and 10 for each MB of the file.

    Returns
    -------
    Path
        ``out``.

    Raises
    ------
    ModelFileError
        For damaged files, what onnx2keras has no layers for, models that compute something else
        than ONNX's reference, and those that take more time, or more memory than 2 GB and 20 times
        the file.
    ConversionError
        If ``out`` is not named ``.keras``.
    StackError
        Where onnx2keras is not installed.
    """
    with Converter(seconds) as converter:
        return converter.convert(file, out)


__all__ = ["Converter", "from_onnx"]
