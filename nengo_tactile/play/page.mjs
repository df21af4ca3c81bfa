// What a page shows of a recording and its network, and what it asks whoever answers: a server, or
// code beside it.

import { clear, paintEvents, paintMap, paintMargins, paintSkin, paintTrail } from "./painting.mjs";
import { Stroke, lengths, place, pressureOf } from "./strokes.mjs";

const MOST_BYTES = 700_000; // of a file: a message has at most a mebibyte
const MANY = 12; // classes, in two columns
const $ = (id) => document.getElementById(id);

/**
 * Make the page work. `send(message)` says whether a message went; answers go to `take`, and
 * `lose` is for a connection that is gone.
 */
export function open(send) {
  let waiting = false; // one message at a time: what is slow does not pile up
  let stroke = null; // the recording that is drawn, or played
  let last = null; // the last one that was drawn, to be drawn again
  let running = false;
  let over = false; // there is a whole recording
  let network = null;
  let layers = {};
  let cursor = null; // of the keyboard
  let cursorDown = false;
  let previous = null; // point of the trail
  let margins = [];
  let asked = ""; // the choice that is being prepared

  function say(text, wrong = false) {
    $("status").textContent = text;
    $("status").classList.toggle("wrong", wrong);
  }

  function ask(message) {
    waiting = send(message);
    return waiting;
  }

  /** What is there to be pressed. */
  function offer() {
    $("again").disabled = running || last === null;
    for (const button of document.querySelectorAll(".whole")) button.disabled = running || !over;
  }

  // Answers

  function hello(message) {
    if (!$("network").options.length) fill(message);
    say("Preparing the network: a moment.");
    choose();
  }

  function fill(message) {
    const { first } = message;
    const choices = {
      network: message.networks.map((name) => [name.split("/").pop(), name]),
      neuron: [["its own", ""], ...message.neurons.map((name) => [name, name])],
      engine: [["first that fits", ""], ...message.engines.map((name) => [name, name])],
      source: message.sources.map((name) => [name, name]),
    };
    for (const [id, options] of Object.entries(choices)) {
      for (const [text, value] of options) $(id).add(new Option(text, value));
    }
    [$("network").value, $("neuron").value, $("engine").value] = [first.name, first.neuron, first.engine];
    $("steps").value = first.n_steps || "";
    $("noise").value = message.noise;
    $("dead").value = message.dead;
    $("choices").hidden = !message.neurons.length;
    $("samples").hidden = !message.sources.length;
    $("loading").hidden = !message.loads;
    $("load").accept = message.loads;
    $("collection").hidden = message.collection === null;
    $("folder").textContent = message.collection ?? "";
    for (const ending of message.endings) {
      const button = document.createElement("button");
      [button.type, button.className, button.dataset.ending] = ["button", "whole", ending];
      button.textContent = `Save as ${ending}`;
      button.addEventListener("click", () => { if (!waiting) ask({ type: "save", ending }); });
      $("files").append(button);
    }
    offer();
  }

  function chosen(message) {
    if (JSON.stringify(choice()) !== asked) return choose(); // chosen again meanwhile
    show(message.network);
    say("Ready: draw on the skin.");
  }

  /** A network before its recording. */
  function show(next, dead = []) {
    network = next;
    margins = [];
    layers = {};
    previous = null;
    cursor ??= [(network.side - 1) / 2, (network.side - 1) / 2];
    cursor = cursor.map((value) => Math.min(network.side - 0.5, value));
    $("skin").setAttribute("aria-label", `Skin of ${network.side} by ${network.side} taxels to draw on`);
    paintSkin($("skin"), network.side, dead);
    for (const id of ["raster", "margin", "image"]) clear($(id));
    $("about").textContent = `${network.about}; engine: ${network.engine}. ${network.decision}` +
      (network.live ? "" : " It needs the whole recording, and decides at its end.");
    $("axes").textContent = "";
    $("multiplications").textContent = network.multiplications.toLocaleString("en");
    for (const name of ["events", "packets", "synops"]) $(name).textContent = "0";
    $("bars").classList.toggle("many", network.classes.length > MANY);
    $("bars").replaceChildren(...network.classes.map(bar));
    $("layers").replaceChildren(...Object.entries(network.layers).map(map));
    $("decision").textContent = network.live ? "None yet." : "At the end of the recording.";
  }

  function begun(message) {
    show(message.network, message.dead);
    say(message.label === null ? "Recording." : `Playing a sample of class ${message.label}.`);
  }

  function bar(name) {
    const item = document.createElement("li");
    const [label, track, value] = ["span", "div", "span"].map((tag) => document.createElement(tag));
    label.textContent = name;
    track.className = "bar";
    track.append(document.createElement("i"));
    value.className = "value";
    item.append(label, track, value);
    return item;
  }

  function map([name, [height, width]]) {
    const figure = document.createElement("figure");
    const canvas = document.createElement("canvas");
    [canvas.className, canvas.width, canvas.height] = ["map", width, height];
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `Spikes of layer ${name}`);
    const caption = document.createElement("figcaption");
    caption.textContent = name;
    figure.append(canvas, caption);
    layers[name] = { canvas, values: new Float32Array(height * width) };
    return figure;
  }

  function progress(message) {
    paintEvents($("raster"), network.side, message.events, network.duration_ms);
    paintMap($("image"), message.image, network.side);
    for (const [name, spikes] of Object.entries(message.layers)) {
      const layer = layers[name];
      spikes.forEach((count, k) => { layer.values[k] = 0.8 * layer.values[k] + count; });
      const most = Math.max(1e-9, ...layer.values);
      paintMap(layer.canvas, Array.from(layer.values, (value) => value / most), layer.canvas.width);
    }
    for (const name of ["events", "packets", "synops"]) {
      $(name).textContent = message.counters[name].toLocaleString("en");
    }
    if (message.outputs) decide(message);
    if (message.done && running) {
      [running, over] = [false, true];
      say("The recording is over: draw again, or save it.");
      offer();
    }
  }

  function decide(message) {
    const long = lengths(message.outputs);
    [...$("bars").children].forEach((item, k) => {
      item.classList.toggle("wins", k === message.winner);
      item.querySelector("i").style.width = `${100 * long[k]}%`;
      item.querySelector(".value").textContent = message.outputs[k].toFixed(2);
    });
    margins.push(...message.margins);
    const most = paintMargins($("margin"), margins, network.duration_ms);
    $("axes").textContent = `Time to the right, up to ${network.duration_ms / 1e3} s; ${most.toFixed(2)} at the top.`;
    let text = `${network.classes[message.winner]}`;
    if (message.done && network.live && message.whole !== message.winner) {
      text += `; the whole recording, shown from the beginning: ${network.classes[message.whole]}`;
    }
    if ($("decision").textContent !== text) $("decision").textContent = text;
  }

  function file(message) {
    const bytes = Uint8Array.from(atob(message.content), (c) => c.charCodeAt(0));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes]));
    link.download = message.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function kept(message) {
    say(`Kept as ${message.file}: ${message.n_files.toLocaleString("en")} of ${message.label}.`);
  }

  function error(message) {
    running = false;
    say(message.message, true);
    offer();
  }

  // What is touched

  function choice() {
    const values = ["network", "neuron", "engine"].map((id) => $(id).value);
    const n_steps = Math.round(Number($("steps").value));
    return { name: values[0], neuron: values[1], n_steps, engine: values[2] };
  }

  function choose() {
    if (running || waiting) return;
    over = false;
    offer();
    const network = choice();
    asked = JSON.stringify(network);
    if (ask({ type: "choose", network })) say("Preparing the network: a moment.");
  }

  function begin(message, next) {
    if (running || waiting || !network || !ask(message)) return false;
    [stroke, running, over] = [next, true, false];
    offer();
    return true;
  }

  function beginStroke(next) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const [noise, dead] = [Number($("noise").value), Number($("dead").value)];
    return begin({ type: "begin", network: choice(), noise, dead, seed }, next) && (last = next);
  }

  function touch(now, at, pressure) {
    if (!running && pressure > 0) beginStroke(new Stroke(now));
    if (running && stroke === last) stroke.add(now, ...at, pressure);
  }

  function onPointer(event) {
    if (!event.isPrimary || !network) return;
    const down = event.type === "pointerdown";
    if (down) $("skin").setPointerCapture(event.pointerId);
    if (!down && !running) return;
    if (event.type === "pointermove" && !(stroke?.isDown && event.buttons)) return;
    const box = $("skin").getBoundingClientRect();
    const lifted = event.type === "pointerup" || event.type === "pointercancel";
    const parts = event.type === "pointermove" ? event.getCoalescedEvents() : [];
    for (const part of parts.length ? parts : [event]) {
      const shares = [(part.clientX - box.left) / box.width, (part.clientY - box.top) / box.height];
      const pressure = lifted ? 0 : pressureOf(part.pointerType, part.pressure);
      touch(part.timeStamp, place(...shares, network.side), pressure);
    }
  }

  function onKey(event) {
    const step = { ArrowLeft: [-0.5, 0], ArrowRight: [0.5, 0], ArrowUp: [0, -0.5], ArrowDown: [0, 0.5] }[event.key];
    if (!network || (!step && event.key !== " ")) return;
    event.preventDefault();
    if (step) cursor = cursor.map((value, k) => Math.min(network.side - 0.5, Math.max(-0.5, value + step[k])));
    else if (!event.repeat) cursorDown = !cursorDown;
    if (cursorDown || !step) touch(event.timeStamp, cursor, cursorDown ? 1 : 0);
    if (!running) cursorDown = false;
    point();
  }

  /** Where the keyboard's pen is. */
  function point() {
    const [column, row] = cursor;
    $("cursor").hidden = false;
    $("cursor").classList.toggle("down", cursorDown);
    $("cursor").style.left = `${(100 * (column + 0.5)) / network.side}%`;
    $("cursor").style.top = `${(100 * (row + 0.5)) / network.side}%`;
    $("pen").textContent = `Pen ${cursorDown ? "down" : "up"} at row ${row + 1}, column ${column + 1}.`;
  }

  function tick(now) {
    if (running && !waiting && stroke) {
      const message = stroke.take(now);
      if (ask(message)) previous = paintTrail($("skin"), network.side, message.points, previous);
    }
    requestAnimationFrame(tick);
  }

  function play(message) {
    begin({ ...message, network: choice() }, new Stroke(performance.now()));
  }

  async function load() {
    const [picked] = $("load").files;
    $("load").value = "";
    if (!picked) return;
    if (picked.size > MOST_BYTES) {
      const most = MOST_BYTES.toLocaleString("en");
      error({ message: `${picked.name} has ${picked.size.toLocaleString("en")} bytes: recordings have at most ${most}` });
      return;
    }
    const bytes = new Uint8Array(await picked.arrayBuffer());
    const content = btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
    play({ type: "load", name: picked.name.slice(-255), content });
  }

  for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
    $("skin").addEventListener(type, onPointer);
  }
  $("skin").addEventListener("keydown", onKey);
  $("skin").addEventListener("blur", () => { $("cursor").hidden = true; });
  $("settings").addEventListener("submit", (event) => event.preventDefault());
  for (const id of ["network", "neuron", "steps", "engine"]) $(id).addEventListener("change", choose);
  $("again").addEventListener("click", () => {
    if (last) beginStroke(last.again(performance.now()));
  });
  $("sample").addEventListener("click", () => {
    play({ type: "sample", source: $("source").value, number: Number($("number").value) });
  });
  $("load").addEventListener("change", load);
  $("keep").addEventListener("click", () => {
    if (!waiting) ask({ type: "keep", label: $("label").value });
  });
  requestAnimationFrame(tick);

  const takers = { hello, chosen, begun, progress, file, kept, error };
  return {
    take(message) {
      waiting = false;
      takers[message.type](message);
    },
    lose() {
      [running, waiting, over, network] = [false, false, false, null];
      cursorDown = false;
      offer();
      say("The connection to the server is lost. Trying again every second; what was drawn is kept here.", true);
    },
  };
}
