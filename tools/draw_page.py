"""The page of docs/draw: the e-skin and eskin-cnn in plain JavaScript, without a server.

    python tools/draw_page.py [--check]

Writes docs/draw/draw.html, one file that asks nothing of anybody: page, style sheet and painting
of `nengo-tactile play`, the code of tools/draw_page/, and the weights of the shipped network.
These are rounded to whole numbers of ``UNIT``, so that the sums that potentials are made of are
exact in float32 and the same in any order. With ``--check`` nothing is written: the exit code is 1
where the file is not what would be.
"""

import argparse
import base64
import dataclasses
import hashlib
import json
import re
import sys
from pathlib import Path

import numpy as np

import nengo_tactile as nt
from nengo_tactile.conversion.other_neurons import with_neuron
from nengo_tactile.events.eskin import TIP_DIAMETER_MM, taxel_mismatch
from nengo_tactile.events.eskin_table1 import fitted_parameters
from nengo_tactile.networks.stages import Graph

ROOT = Path(__file__).parents[1]
PLAY, HERE = ROOT / "nengo_tactile" / "play", ROOT / "tools" / "draw_page"
FILE = ROOT / "docs" / "draw" / "draw.html"
NAME, STEPS = "eskin-cnn", 20
#: Of weights and biases. Sums of them up to 8,192 are exact in float32.
UNIT = 2.0**-11
#: In the order of their imports.
MODULES = (
    *(PLAY / f"{name}.mjs" for name in ("painting", "strokes", "page")),
    *(HERE / f"{name}.mjs" for name in ("network", "skin", "desk", "main")),
)
_LEAD = (
    "All of this happens in this page, which asks nothing of anybody: the simulated e-skin, and "
    "the shipped network eskin-cnn with integrate-and-fire neurons, in plain JavaScript. It does "
    "what the event engine does, spike by spike."
)
_IMPORT = re.compile(r"^import .*;\n", re.MULTILINE)
_EXPORT = re.compile(r"^export ", re.MULTILINE)
_TOP = re.compile(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)


def network():
    """eskin-cnn with integrate-and-fire neurons and weights in whole numbers of `UNIT`."""
    saved = nt.load(NAME)
    x, _ = saved.encode(nt.datasets.ESkin(n_samples=128), progress=False)
    # while a recording is made, its first images count only half as long
    found = with_neuron(saved, nt.IF(discard=0.5), x, STEPS)
    vars(found)["graph"] = rounded(found.graph)  # in place of the one that it would make
    return found


def rounded(graph):
    """A graph with weights and biases in whole numbers of `UNIT`."""

    def coarse(values):
        return (np.rint(np.asarray(values, float) / UNIT) * UNIT).astype(np.float32)

    stages = []
    for stage in graph:
        (link,) = stage.links
        links = [dataclasses.replace(link, map=link.map.reweighted(coarse))]
        stages.append(
            dataclasses.replace(
                stage, links=links, bias=coarse(stage.bias), start=coarse(stage.start)
            )
        )
    return Graph(graph.input_shape, stages)


def told(spiking):
    """What the page knows of a network and the skin, as plain JSON values."""
    graph, parameters = spiking.graph, fitted_parameters()
    gain, factors = taxel_mismatch(parameters)
    return {
        "name": NAME,
        "engine": "JavaScript",
        "about": f"{NAME}: {spiking.n_neurons} integrate-and-fire neurons, each image so far is "
        f"shown for {STEPS} steps",
        "decision": spiking.decision,
        "live": True,
        "classes": list(spiking.classes),
        "duration_ms": spiking.image.duration_us / 1e3,
        "side": graph.input_shape[0],
        "multiplications": graph.multiplications,
        "layers": {stage.name: list(stage.shape[:2]) for stage in graph if stage.spikes},
        "steps": STEPS,
        "noise": parameters.noise_rate_hz,
        "network": {"unit": UNIT, "discard": spiking.discard, "layers": _layers(graph)},
        "skin": {
            "parameters": {**parameters.to_dict(), "tip_mm": TIP_DIAMETER_MM},
            "gain": np.round(gain, 6).ravel().tolist(),
            "factors": np.round(factors, 6).ravel().tolist(),
        },
    }


def _layers(graph):
    """Each stage as a convolution without padding; a dense layer has as large a kernel."""
    fan_out, shape, layers = graph.fan_out(), graph.input_shape, []
    for stage in graph:
        (link,) = stage.links
        linear = link.map
        output = stage.shape if len(stage.shape) == 3 else (1, 1, stage.n_neurons)
        kernel = linear.kernel.reshape(*(linear.sides or shape[:2]), shape[2], output[2])
        if set(linear.strides) - {1} or any(linear.padding) or linear.groups > 1:
            raise SystemExit(f"{stage.name}: the page has convolutions without padding alone")
        arrays = {"weights": kernel / UNIT, "bias": stage.bias / UNIT, "start": stage.start / UNIT}
        arrays["fanOut"] = fan_out[stage.name]
        layers.append(
            {
                "input": list(shape),
                "output": list(output),
                "kernel": list(kernel.shape[:2]),
                **{name: _numbers(values) for name, values in arrays.items()},
            }
        )
        shape = output
    return layers


def _numbers(values):
    """Whole numbers of 32 bits in base64."""
    whole = np.rint(np.asarray(values, float).ravel()).astype("<i4")
    return base64.b64encode(whole.tobytes()).decode()


def script():
    """All modules as one, which imports nothing."""
    texts = [path.read_text("utf-8") for path in MODULES]
    names = [name for text in texts for name in _TOP.findall(text)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SystemExit(f"{', '.join(twice)}: two modules have these names, which become one")
    whole = "\n".join(_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts)
    if re.search(r"</script|<!--|^import\b", whole, re.MULTILINE | re.IGNORECASE):
        raise SystemExit("the scripts hold what ends a script in a page, or an import")
    return f"\n{whole}"


def page(data):
    """The whole file."""
    code, style = script(), (PLAY / "page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    policy = f"default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'"
    content = json.dumps(data).replace("<", "\\u003c")
    text = (PLAY / "page.html").read_text("utf-8")
    for old, new in (
        (
            '<link rel="stylesheet" href="page.css">\n',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
            f"<style>\n{style}</style>\n",
        ),
        ('<script type="module" src="socket.mjs"></script>\n', ""),
        ("</h1>\n", f"</h1>\n<p>{_LEAD}</p>\n"),
        (
            "</body>",
            f'<script type="application/json" id="told">{content}</script>\n'
            f'<script type="module">{code}</script>\n</body>',
        ),
    ):
        if text.count(old) != 1:
            raise SystemExit(
                f"page.html has {text.count(old)} times {old!r}: this tool looks for one"
            )
        text = text.replace(old, new)
    return text


def main():
    """Write the page, or compare it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    text = page(told(network()))
    if not parser.parse_args().check:
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(text, "utf-8")
    elif FILE.read_text("utf-8") != text:
        sys.exit(f"{FILE} is not what this tool makes: run it without --check")


if __name__ == "__main__":
    main()
