"""Who runs cells: this process, spawned ones, several commands on one folder, a Dask cluster."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from nengo_tactile.errors import ClusterError, ModelFileError
from nengo_tactile.experiments import studies, workers
from nengo_tactile.experiments.studies import Study
from nengo_tactile.experiments.workers import BUSY, Cell, Crew, Failure, execute
from tests.support import toy_study

TOTAL = sum(range(toy_study.N_PARTS))


def cells(n=6, **options):
    return [Cell(f"cell-{i}", toy_study.total, {"value": i, **options}) for i in range(n)]


def results(crew, folder, chosen):
    return {cell.key: found for cell, found in crew.run(chosen, Study(folder, "toys"), False)}


@pytest.mark.parametrize("crew", [Crew(), Crew(jobs=2)], ids=["here", "spawned"])
def test_the_same_whoever_runs_them(crew, tmp_path):
    found = results(crew, tmp_path, cells())
    assert {key: state["sum"] for key, state in found.items()} == {
        f"cell-{i}": i * TOTAL for i in range(6)
    }
    by = {number for state in found.values() for number in state["by"]}
    assert (os.getpid() in by) == (crew.jobs is None)
    assert len(by) == (crew.jobs or 1)
    assert results(Crew(), tmp_path, cells()) == found  # nothing is run again


def test_a_cell_that_raises_is_a_failure_and_the_others_go_on(tmp_path):
    chosen = [Cell("bad", toy_study.fails, {"words": "no such thing"}), *cells(2)]
    for crew in (Crew(), Crew(jobs=1)):
        found = results(crew, tmp_path, chosen)
        assert found["bad"].error == "RuntimeError: no such thing"
        assert "toy_study.py" in found["bad"].trace
        assert found["cell-1"]["sum"] == TOTAL


def test_a_killed_workers_cell_is_taken_up_again(tmp_path):
    (tmp_path / "traps").mkdir()
    chosen = cells(4, trap=str(tmp_path / "traps"))
    found = results(Crew(jobs=2), tmp_path / "out", chosen)
    assert [state["sum"] for _, state in sorted(found.items())] == [i * TOTAL for i in range(4)]
    for state in found.values():  # from where it was: no part twice
        assert len(state["by"]) == toy_study.N_PARTS and len(set(state["by"])) == 2


def test_a_cell_that_always_kills_its_worker_fails_alone(tmp_path):
    found = results(Crew(jobs=2), tmp_path, [Cell("deadly", toy_study.dies, {}), *cells(3)])
    assert found["deadly"].error == "its worker was killed 3 times (exit code -9)"
    assert found["cell-2"]["sum"] == 2 * TOTAL


COMMAND = """
from tests.experiments import test_workers
from nengo_tactile.experiments.workers import Crew
if __name__ == "__main__":
    test_workers.results(Crew(jobs={jobs}), {out!r}, test_workers.cells(8, pause=0.03))
"""


def command(out, jobs=None):
    """The same study, in a process of its own."""
    code = COMMAND.format(jobs=jobs, out=str(out))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    # from elsewhere: in the checkout, its package would come before the one that is installed
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environment, cwd=out.parent, start_new_session=True
    )


def test_several_commands_share_a_folder_and_kills_lose_nothing(tmp_path):
    """Three of four are killed at random moments, one with its workers; then one finishes."""
    moments, out = random.Random(3), tmp_path / "out"
    started = [command(out), command(out), command(out, jobs=2), command(out)]
    while not list(out.glob("cells/*.json")):
        time.sleep(0.02)
    for process in started[:3]:
        time.sleep(moments.uniform(0.02, 0.2))
        os.killpg(process.pid, signal.SIGKILL)
    assert [process.wait(60) for process in started[:3]] == [-signal.SIGKILL] * 3
    assert started[3].wait(60) == 0
    found = results(Crew(), out, cells(8, pause=0.03))
    assert {key: state["sum"] for key, state in found.items()} == {
        f"cell-{i}": i * TOTAL for i in range(8)
    }
    assert all(len(state["by"]) == toy_study.N_PARTS for state in found.values())
    assert not list(out.glob("cells/.*"))  # what was half-written has gone


def test_two_on_one_cell_take_turns(tmp_path):
    study, (cell,) = Study(tmp_path, "toys"), cells(1)
    about = (tmp_path, "toys", studies.package_digest())
    with study.turn(cell.key):
        assert execute(cell, *about) == BUSY
        waiting = threading.Thread(target=execute, args=(cell, *about, 1, True))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive() and not list(tmp_path.glob("cells/*"))
    waiting.join()
    assert results(Crew(), tmp_path, [cell])["cell-0"]["n_done"] == toy_study.N_PARTS


def test_a_damaged_cell_is_refused_before_any_work(tmp_path):
    results(Crew(), tmp_path, cells(1))
    path = tmp_path / "cells" / "cell-0.json"
    path.write_text(path.read_text().replace('"n_done": 5', '"n_done": 4'))
    for crew in (Crew(), Crew(jobs=1)):
        with pytest.raises(ModelFileError, match=r"cell-0.json.*delete it"):
            results(crew, tmp_path, cells(3)[::-1])
    assert len(list(tmp_path.glob("cells/*"))) == 1


def test_other_data_on_a_worker_are_refused(tmp_path):
    results(Crew(), tmp_path, cells(1))
    for crew in (Crew(), Crew(jobs=1)):
        with pytest.raises(ModelFileError, match=r"other data toys .data, here others"):
            results(crew, tmp_path, cells(3, data="others"))


def test_another_version_on_a_worker_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ClusterError, match=r"the study 0.0: install the same version"):
        execute(cells(1)[0], tmp_path, "toys", "0.0")
    results(Crew(), tmp_path, cells(1))
    monkeypatch.setattr(workers, "package_digest", lambda: "9.9 0123456789abcdef")
    with pytest.raises(ModelFileError, match=r"began with other package .*here 9.9"):
        results(Crew(), tmp_path, cells(2))


def test_a_folder_of_another_study_is_refused(tmp_path):
    results(Crew(), tmp_path, cells(1))
    with pytest.raises(ModelFileError, match=r"holds the study 'toys', wanted 'others'"):
        Study(tmp_path, "others")


def test_cells_have_so_many_threads(tmp_path):
    if multiprocessing.cpu_count() < 2:
        pytest.skip("one processor: there is nothing to limit")
    for crew, folder in ((Crew(), "here"), (Crew(jobs=1), "spawned")):
        (state,) = results(crew, tmp_path / folder, [Cell("n", toy_study.n_threads, {})]).values()
        assert state == {"numba": 1, "blas": 1, "tensorflow": "1"}


def test_no_scheduler(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs nengo-tactile[cluster]")
    monkeypatch.setattr(workers, "PATIENCE", 1)
    with pytest.raises(ClusterError, match=r"no Dask scheduler at tcp://127.0.0.1:1"):
        results(Crew(scheduler="tcp://127.0.0.1:1"), tmp_path, cells(1))


def test_on_a_dask_cluster(tmp_path):
    distributed = pytest.importorskip("distributed", reason="needs nengo-tactile[cluster]")
    chosen = [*cells(4), Cell("bad", toy_study.fails, {"words": "no"})]
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        found = results(Crew(scheduler=cluster.scheduler_address), tmp_path, chosen)
    assert isinstance(found.pop("bad"), Failure)
    assert [state["sum"] for _, state in sorted(found.items())] == [i * TOTAL for i in range(4)]
    assert os.getpid() not in {number for state in found.values() for number in state["by"]}
