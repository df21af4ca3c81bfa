"""Notebooks are stored clean, and run at small sizes, one after another in one kernel."""

import ast
import warnings
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient", reason="needs the tests extra: pip install '.[tests]'")
jupyter_client = pytest.importorskip("jupyter_client")
nbformat = pytest.importorskip("nbformat", reason="needs the tests extra: pip install '.[tests]'")

TUTORIALS = Path(__file__).parents[1] / "docs" / "tutorials"
NOTEBOOKS = sorted(TUTORIALS.glob("*.ipynb"))

#: Sizes that take seconds; they replace the cell tagged "parameters".
SMALL = {
    "01_from_touch_to_spikes": {"N_TRAIN": 120, "N_TEST": 40, "EPOCHS": 2},
    "02_what_does_it_cost": {
        "N_TRAIN": 120,
        "N_TEST": 4,  # so few that nobody compares the chip's answers with the model's
        "EPOCHS": 2,
        "FACTORS": (0.5,),
    },
    "03_your_own_keras_model": {
        "N_TRAIN": 120,
        "N_TEST": 40,
        "EPOCHS": 2,
        "STEPS": 16,
        "FEW_STEPS": (4,),
        "N_CHIP": 4,
    },
    "04_your_own_recordings": {"N_FILES": 64, "EPOCHS": 2, "STEPS": 8},
    "05_train_on_spikes": {"N_TRAIN": 60, "N_TEST": 20, "EPOCHS": 1, "N_STEPS": 20, "N_CHIP": 4},
    "06_skim_in_nengo": {"N_TRAIN": 60, "N_TEST": 10, "N_HIDDEN": 60, "N_ONLINE": 5},
}

if not TUTORIALS.is_dir():
    pytest.skip("the tutorials are not beside the tests", allow_module_level=True)


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param, nbformat.read(request.param, as_version=4)


def set_parameters(notebook, values):
    """Change assignments in the cell tagged "parameters"; each name must be there."""
    (cell,) = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", ())]
    names = {node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)}
    assert set(values) <= names, f"{set(values) - names} are no parameters of the notebook"
    cell.source += "\n" + "\n".join(f"{name} = {value!r}" for name, value in values.items())


def test_every_notebook_is_tested():
    assert len(NOTEBOOKS) >= 6
    assert {path.stem for path in NOTEBOOKS} == set(SMALL)


def test_notebook_is_stored_clean(notebook):
    _, notebook = notebook
    assert notebook.nbformat == 4
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_notebook_begins_with_what_it_needs(notebook):
    _, notebook = notebook
    assert notebook.cells[0].source.startswith("# ")
    install, parameters = [c for c in notebook.cells if c.cell_type == "code"][:2]
    assert "%pip install" in install.source
    assert parameters.metadata["tags"] == ["parameters"]


@pytest.fixture(scope="module")
def kernel():
    """One kernel, so that TensorFlow is imported once; each notebook gets an empty namespace."""
    # the client's event loop and sockets warn of their own clean-up
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        manager = jupyter_client.KernelManager()
        manager.start_kernel()
        yield manager
        manager.shutdown_kernel(now=True)


def test_notebook_runs(notebook, kernel, tmp_path):
    path, notebook = notebook
    set_parameters(notebook, SMALL[path.stem])
    enter = f"%reset -f\n%cd -q {tmp_path}"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(enter))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = nbclient.NotebookClient(notebook, timeout=300, km=kernel)
        client.execute()
        client.kc.stop_channels()  # it is not the owner of the kernel, and leaves them open
    outputs = [output for c in notebook.cells if c.cell_type == "code" for output in c.outputs]
    noise = [o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"]
    # tonic's progress bars, which nothing here uses, miss ipywidgets; networks that hardly learnt
    # do not suit the chip
    known = ("TqdmWarning", "EngineWarning")
    assert [text for text in noise if not any(word in text for word in known)] == []
    assert any("image/png" in output.get("data", {}) for output in outputs)
