import base64
import contextlib
import json
import socket
import urllib.error
import urllib.request

import numpy as np
import pytest

pytest.importorskip("uvicorn", reason="the extra [play] is not installed")
pytest.importorskip("starlette", reason="the extra [play] is not installed")
exceptions = pytest.importorskip("websockets.exceptions", reason="[play] is not installed")

import nengo_tactile as nt  # noqa: E402
from nengo_tactile.errors import DataError  # noqa: E402
from nengo_tactile.play import server  # noqa: E402
from nengo_tactile.play.files import Collection, loaded  # noqa: E402
from nengo_tactile.play.messages import Choice  # noqa: E402
from nengo_tactile.play.networks import Networks  # noqa: E402
from nengo_tactile.play.skin import Grid  # noqa: E402
from tests.support.play_pages import chosen, opened, served  # noqa: E402

SLAYER = "eskin-slayer"
#: A stroke down the middle in 0.4 s: a 1.
ONE = [[t, 4.5, 1 + t / 55, 1.0] for t in range(0, 400, 16)] + [[400, 4.5, 8.2, 0.0]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("kept") / "mine"


@pytest.fixture(scope="module")
def port(folder):
    with served(Networks(Choice(SLAYER)), collection=Collection(folder)) as found:
        yield found


@pytest.fixture
def visit(port):
    """Open a page: `visit(**options)`."""
    with contextlib.ExitStack() as pages:
        yield lambda **options: pages.enter_context(opened(port, **options))


def get(port, path="/", **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read().decode()


def test_a_drawing_is_decided_on_saved_and_played_again(visit):
    page = visit()
    assert page.hello["networks"] == [SLAYER, "eskin-cnn", "stemnist-cnn"]
    begun = page.begin(SLAYER)
    assert begun["type"] == "begun" and begun["network"]["live"]
    answers = page.draw(ONE, 2000)
    last = answers[-1]
    assert last["done"] and not answers[-2]["done"]
    assert last["whole"] == last["winner"]
    assert last["counters"]["events"] == sum(len(each["events"]) for each in answers) > 50
    assert all(last["counters"][name] > 0 for name in ("packets", "synops"))
    saved = page.ask(type="save", ending=".npz")
    events = loaded(saved["name"], base64.b64decode(saved["content"]), Grid())
    assert len(events) == last["counters"]["events"]
    wanted = nt.run(nt.load(SLAYER), [events], engine="event").outputs[0, -1]
    np.testing.assert_allclose(last["outputs"], wanted)
    for ending in (".npz", ".mat"):
        saved = page.ask(type="save", ending=ending)
        page.ask(type="load", network=chosen(SLAYER), **of_file(saved))
        again = page.draw([], 2000)[-1]
        assert (again["outputs"], again["counters"]) == (last["outputs"], last["counters"])


def of_file(answer):
    return {name: answer[name] for name in ("name", "content")}


def test_what_was_drawn_is_kept(visit, folder):
    page = visit()
    assert page.hello["collection"] == "mine"
    page.begin(SLAYER)
    page.draw(ONE, 900)
    assert "not over" in page.ask(type="keep", label="1")["message"]
    last = page.ask(type="touch", until=2000, points=[])
    assert page.ask(type="keep", label="1") == {
        "type": "kept", "file": "1/0000.npz", "label": "1", "n_files": 1,
    }  # fmt: skip
    own = nt.datasets.Recordings(folder)
    assert own.classes == ("1",) and len(own[0][0]) == last["counters"]["events"]


def test_dead_taxels_and_samples(visit):
    page = visit()
    begun = page.begin(SLAYER, dead=1.0)
    assert begun["dead"] == [1] * 100
    assert page.draw(ONE, 500)[-1]["counters"]["events"] == 0
    begun = page.ask(type="sample", network=chosen(SLAYER), source="eskin", number=3)
    assert begun["label"] == "3"
    events = nt.datasets.ESkin(split="test")[3][0]
    assert page.draw([], 2000)[-1]["counters"]["events"] == len(events)
    for source, number, told in (
        ("eskin", 1500, "1,500 test samples"), ("nothing", 0, "choose one of eskin"),
    ):  # fmt: skip
        answer = page.ask(type="sample", network=chosen(SLAYER), source=source, number=number)
        assert told in answer["message"]


def test_what_is_wrong_is_said_and_does_no_harm(visit):
    page = visit()
    assert "touch the skin first" in page.ask(type="save", ending=".npz")["message"]
    page.begin(SLAYER)
    before = page.ask(type="touch", until=100, points=[[50, 4, 4, 1]])
    for bad, told in (
        ({"type": "touch", "until": 50, "points": []}, "time goes back"),
        ({"type": "touch", "until": 200, "points": [[150, 1, 1, 1], [140, 1, 1, 1]]}, "in order"),
        (
            {"type": "begin", "network": chosen("/etc"), "noise": 0, "dead": 0, "seed": 0},
            "is not here",
        ),
        (
            {"type": "load", "network": chosen(SLAYER), "name": "a.npz", "content": "AAAA"},
            "recording.npz",
        ),
        ({"type": "choose", "network": chosen(SLAYER, neuron="if")}, "leave neuron out"),
        ({"type": "choose", "network": chosen(SLAYER, n_steps=9)}, "steps are 9"),
        ({"type": "choose", "network": chosen("eskin-cnn", neuron="cat")}, "choose one of if"),
        ({"type": "choose", "network": chosen("eskin-cnn", engine="event")}, "neurons are LIF"),
        ({"type": "nothing"}, "type is"),
    ):
        answer = page.ask(**bad)
        assert answer["type"] == "error" and told in answer["message"]
    page.socket.send("{")
    assert page.read()["type"] == "error"
    after = page.ask(type="touch", until=120, points=[])
    assert after["type"] == "progress"
    assert after["counters"]["events"] >= before["counters"]["events"]


def test_pages_do_not_disturb_each_other(visit):
    one, other = visit(), visit()
    one.begin(SLAYER, seed=4)
    alone = [each["counters"] for each in one.draw(ONE, 600)]
    one.begin(SLAYER, seed=4)
    other.begin(SLAYER, seed=9)
    both = []
    for now in [*range(16, 600, 16), 600]:
        new = [point for point in ONE if now - 16 < point[0] <= now or point[0] == 0 == now - 16]
        both.append(one.ask(type="touch", until=now, points=new)["counters"])
        other.ask(type="touch", until=now, points=[[now, 2, 2, 1]])
        if now == 320:
            visit().socket.close()  # another comes and goes
    assert both == alone


def test_huge_messages_and_floods_end_their_own_page_alone(visit):
    page, loud = visit(), visit()
    page.begin(SLAYER)
    with pytest.raises(exceptions.ConnectionClosed):
        loud.socket.send("x" * (2 << 20))
        loud.read()
    flood = visit()
    for _ in range(200):
        flood.socket.send("{")
    flood.socket.close()
    binary = visit()
    with pytest.raises(exceptions.ConnectionClosed):
        binary.socket.send(b"\0\1")
        binary.read()
    assert page.ask(type="touch", until=16, points=[])["type"] == "progress"


def test_too_many_pages_are_told(visit):
    pages = [visit() for _ in range(server.MOST_PAGES)]
    late = visit()
    assert late.hello["type"] == "error" and "close one" in late.hello["message"]
    for page in pages:
        page.socket.close()
    for _ in range(100):
        again = visit()
        if again.hello["type"] == "hello":
            break
    assert again.hello["type"] == "hello"


@pytest.mark.parametrize("origin", [None, "http://evil.example", "http://127.0.0.1:1", "null"])
def test_other_hosts_pages_are_refused(visit, origin):
    with pytest.raises(exceptions.InvalidStatus):
        visit(origin=origin)


def test_names_that_others_point_here_are_refused(port):
    assert get(port, Host="evil.example")[0] == 403
    assert get(port, Host=f"evil.example:{port}")[0] == 403
    assert get(port, Origin="http://evil.example")[0] == 403
    assert get(port, Host=f"localhost:{port}")[0] == 200


def test_files_of_the_page(port):
    status, headers, text = get(port)
    assert status == 200 and "Draw on the e-skin" in text
    assert "default-src 'self'" in headers["content-security-policy"]
    scripts = [f"/{name}.mjs" for name in ("socket", "page", "painting", "strokes")]
    for path, kind in (*((path, "javascript") for path in scripts), ("/page.css", "css")):
        status, headers, content = get(port, path)
        assert status == 200 and kind in headers["content-type"]
        assert "http://" not in content and "https://" not in content
    assert get(port, "/server.py")[0] == get(port, "/../server.py")[0] == 404


def test_a_port_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(DataError, match=rf"port {number} of 127.0.0.1: .*choose another"):
            server.bound(number)


def test_the_other_network_is_loaded_when_it_is_asked_for(visit):
    page = visit()
    begun = page.begin("eskin-cnn")
    assert begun["network"]["engine"] == "loihi" and begun["network"]["side"] == 10
    last = page.draw(ONE, 2000)[-1]
    assert begun["network"]["classes"][last["whole"]] == "1"
    json.dumps(last, allow_nan=False)


def test_other_neurons_steps_and_engines(visit):
    """The model of a network of LIF neurons, converted anew: what `nt.run` makes of it."""
    page, choice = visit(), chosen("eskin-cnn", neuron="if", n_steps=20)
    begun = page.ask(type="choose", network=choice)
    assert begun["network"]["engine"] == "event"
    begun = page.ask(type="begin", network=choice, noise=0, dead=0, seed=1)
    last = page.draw(ONE, 2000)[-1]
    assert begun["network"]["classes"][last["winner"]] == "1"
    fewer = {**choice, "n_steps": 5}
    page.ask(type="begin", network=fewer, noise=0, dead=0, seed=1)
    less = page.draw(ONE, 2000)[-1]["counters"]
    assert less["events"] == last["counters"]["events"]
    assert 0 < 3 * less["packets"] < last["counters"]["packets"]  # a quarter of the steps
    chip = page.ask(type="choose", network={**choice, "engine": "loihi"})
    assert chip["network"]["engine"] == "loihi"
