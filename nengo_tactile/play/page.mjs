import { TAXELS, Stroke, lengths, place, pressureOf } from "./strokes.mjs";

const $ = (id) => document.getElementById(id);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);

let socket = null;
let waiting = false; // one message at a time: what is slow does not pile up
let stroke = null; // the recording that is drawn, or played
let last = null; // the last one that was drawn, to be drawn again
let running = false;
let network = null;
let layers = {};
let cursor = [4.5, 4.5]; // of the keyboard
let cursorDown = false;
let previous = null; // point of the trail
let margins = [];

function say(text, lost = false) {
  $("status").textContent = text;
  $("status").classList.toggle("lost", lost);
}

function send(message) {
  if (socket?.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(message));
  waiting = true;
  return true;
}

function connect() {
  socket = new WebSocket(`ws://${location.host}/socket`);
  socket.onmessage = (event) => {
    const message = JSON.parse(event.data);
    if (message.type !== "hello") waiting = false;
    ({ hello, begun, progress, file, error })[message.type](message);
  };
  socket.onclose = () => {
    running = waiting = false;
    say("The connection to the server is lost. Trying again every second; what was drawn is kept here.", true);
    setTimeout(connect, 1000);
  };
}

function hello(message) {
  if (!$("network").options.length) {
    for (const name of message.networks) $("network").add(new Option(name.split("/").pop(), name));
    $("noise").value = message.noise;
    $("dead").value = message.dead;
  }
  say("Ready: draw a digit.");
}

function begun(message) {
  network = message.network;
  margins = [];
  previous = null;
  drawSkin(message.dead);
  for (const id of ["raster", "margin", "image"]) clear($(id));
  $("about").textContent = `${network.about} on engine ${network.engine}. ${network.decision}` +
    (network.live ? "" : " It needs the whole recording, and decides at its end.");
  $("multiplications").textContent = network.multiplications.toLocaleString("en");
  $("bars").replaceChildren(...network.classes.map(bar));
  $("layers").replaceChildren(...Object.entries(network.layers).map(map));
  $("decision").textContent = network.live ? "None yet." : "At the end of the recording.";
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
  drawEvents(message.events);
  drawMap($("image"), message.image, TAXELS);
  for (const [name, spikes] of Object.entries(message.layers)) {
    const layer = layers[name];
    spikes.forEach((count, k) => { layer.values[k] = 0.8 * layer.values[k] + count; });
    const most = Math.max(1e-9, ...layer.values);
    drawMap(layer.canvas, Array.from(layer.values, (value) => value / most), layer.canvas.width);
  }
  for (const name of ["events", "packets", "synops"]) {
    $(name).textContent = message.counters[name].toLocaleString("en");
  }
  if (message.outputs) decide(message);
  if (message.done && running) {
    running = false;
    say("The recording is over: draw again, or save it.");
    $("save").disabled = false;
    $("again").disabled = last === null;
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
  drawMargins();
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

function error(message) {
  running = false;
  say(message.message, true);
}

// What is drawn

function clear(canvas) {
  canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
}

function drawSkin(dead = []) {
  const canvas = $("skin"), pen = canvas.getContext("2d"), size = canvas.width / TAXELS;
  clear(canvas);
  for (let k = 0; k < TAXELS ** 2; k++) {
    const [x, y] = [(k % TAXELS) * size, Math.floor(k / TAXELS) * size];
    [pen.strokeStyle, pen.lineWidth] = [colour("line"), 1];
    pen.strokeRect(x, y, size, size);
    if (!dead[k]) continue;
    [pen.strokeStyle, pen.lineWidth] = [colour("quiet"), 3];
    pen.beginPath();
    pen.moveTo(x, y); pen.lineTo(x + size, y + size);
    pen.moveTo(x + size, y); pen.lineTo(x, y + size);
    pen.stroke();
  }
}

function drawTrail(points) {
  const canvas = $("skin"), pen = canvas.getContext("2d"), size = canvas.width / TAXELS;
  pen.strokeStyle = colour("accent");
  pen.lineCap = "round";
  pen.lineWidth = size / 2;
  for (const [, column, row, pressure] of points) {
    const at = [(column + 0.5) * size, (row + 0.5) * size];
    if (previous || pressure > 0) {
      pen.beginPath();
      pen.moveTo(...(previous ?? at));
      pen.lineTo(...at);
      pen.stroke();
    }
    previous = pressure > 0 ? at : null;
  }
}

function drawEvents(events) {
  const canvas = $("raster"), pen = canvas.getContext("2d");
  const [on, off] = [colour("on"), colour("off")];
  for (const [t, x, y, p] of events) {
    pen.fillStyle = p ? on : off;
    pen.fillRect((t / network.duration_ms) * canvas.width, (x * TAXELS + y) * (canvas.height / TAXELS ** 2), 2, 3);
  }
}

function drawMap(canvas, values, width) {
  const pen = canvas.getContext("2d"), size = canvas.width / width;
  clear(canvas);
  pen.fillStyle = colour("accent");
  values.forEach((value, k) => {
    pen.globalAlpha = Math.min(1, value);
    pen.fillRect((k % width) * size, Math.floor(k / width) * size, size, size);
  });
  pen.globalAlpha = 1;
}

function drawMargins() {
  const canvas = $("margin"), pen = canvas.getContext("2d");
  const most = Math.max(1e-9, ...margins.map(([, margin]) => margin));
  clear(canvas);
  pen.strokeStyle = colour("accent");
  pen.lineWidth = 2;
  pen.beginPath();
  for (const [t, margin] of margins) {
    pen.lineTo((t / network.duration_ms) * canvas.width, canvas.height * (1 - 0.95 * (margin / most)));
  }
  pen.stroke();
}

// What is touched

function settings() {
  return { network: $("network").value, noise: Number($("noise").value), dead: Number($("dead").value) };
}

function begin(message, next) {
  if (running || waiting || !send(message)) return false;
  [stroke, running, layers] = [next, true, {}];
  $("save").disabled = $("again").disabled = true;
  return true;
}

function beginStroke(next) {
  const seed = Math.floor(Math.random() * 2 ** 32);
  return begin({ type: "begin", ...settings(), seed }, next) && (last = next);
}

function touch(now, at, pressure) {
  if (!running && pressure > 0) beginStroke(new Stroke(now));
  if (running && stroke === last) stroke.add(now, ...at, pressure);
}

function onPointer(event) {
  if (!event.isPrimary) return;
  const down = event.type === "pointerdown";
  if (down) $("skin").setPointerCapture(event.pointerId);
  if (!down && !running) return;
  if (event.type === "pointermove" && !(stroke?.isDown && event.buttons)) return;
  const box = $("skin").getBoundingClientRect();
  const lifted = event.type === "pointerup" || event.type === "pointercancel";
  const parts = event.type === "pointermove" ? event.getCoalescedEvents() : [];
  for (const part of parts.length ? parts : [event]) {
    const at = place((part.clientX - box.left) / box.width, (part.clientY - box.top) / box.height);
    touch(part.timeStamp, at, lifted ? 0 : pressureOf(part.pointerType, part.pressure));
  }
}

function onKey(event) {
  const step = { ArrowLeft: [-0.5, 0], ArrowRight: [0.5, 0], ArrowUp: [0, -0.5], ArrowDown: [0, 0.5] }[event.key];
  if (!step && event.key !== " ") return;
  event.preventDefault();
  if (step) cursor = cursor.map((value, k) => Math.min(9.5, Math.max(-0.5, value + step[k])));
  else if (!event.repeat) cursorDown = !cursorDown;
  if (cursorDown || !step) touch(event.timeStamp, cursor, cursorDown ? 1 : 0);
  if (!running) cursorDown = false;
}

function tick(now) {
  if (running && !waiting && stroke) {
    const message = stroke.take(now);
    if (send(message)) drawTrail(message.points);
  }
  requestAnimationFrame(tick);
}

for (const type of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
  $("skin").addEventListener(type, onPointer);
}
$("skin").addEventListener("keydown", onKey);
$("settings").addEventListener("submit", (event) => event.preventDefault());
$("again").addEventListener("click", () => {
  if (last) beginStroke(last.again(performance.now()));
});
$("save").addEventListener("click", () => { if (!waiting) send({ type: "save" }); });
$("sample").addEventListener("click", () => {
  begin({ type: "sample", network: $("network").value, number: Number($("number").value) }, new Stroke(performance.now()));
});
$("load").addEventListener("change", async () => {
  const [chosen] = $("load").files;
  $("load").value = "";
  if (!chosen) return;
  if (chosen.size > 700_000) return error({ message: `${chosen.name} has ${chosen.size} bytes: recordings have at most 700,000` });
  const content = btoa(Array.from(new Uint8Array(await chosen.arrayBuffer()), (b) => String.fromCharCode(b)).join(""));
  begin({ type: "load", network: $("network").value, content }, new Stroke(performance.now()));
});
drawSkin();
connect();
requestAnimationFrame(tick);
