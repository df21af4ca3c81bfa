// What a page asks for, answered beside it: as nengo_tactile.play.desk does on a server.

import { Network, image } from "./network.mjs";
import { Skin } from "./skin.mjs";

const RENEWED_US = 50_000; // the image so far is shown anew every 50 ms

/** A network that reads a recording while it is made. */
export class Decider {
  constructor(told) {
    [this.told, this.network, this.sinceUs] = [told, new Network(told.network), 0];
  }

  /** What the network did since, of all events so far. */
  advance(events, untilUs) {
    const chunks = [], end = this.told.duration_ms * 1e3;
    for (;;) {
      const reached = Math.min(this.sinceUs + RENEWED_US, end);
      if (untilUs < reached || this.sinceUs >= end) return chunks;
      chunks.push(this.chunk(this.network, events.filter(([t]) => t < reached), reached));
      this.sinceUs = reached;
    }
  }

  /** What it makes of the whole recording, shown from the beginning. */
  whole(events) {
    return this.chunk(new Network(this.told.network), events, this.told.duration_ms * 1e3);
  }

  chunk(network, events, reached) {
    const found = network.run(image(counts(events, this.told.side)), this.told.steps);
    const outputs = found.outputs.at(-1);
    const [first, second] = Float64Array.from(outputs).sort().reverse();
    const layers = {};
    Object.entries(this.told.layers).forEach(([name, [rows, columns]], k) => {
      const maps = (layers[name] = new Array(rows * columns).fill(0));
      const channels = network.layers[k].output[2];
      for (const fired of found.spikes[k]) for (const i of fired) maps[Math.floor(i / channels)] += 1;
    });
    const packets = found.spikes.flat().reduce((sum, fired) => sum + fired.length, 0);
    const winner = outputs.indexOf(Math.max(...outputs));
    return { t: reached / 1e3, outputs, winner, margin: first - second, layers, packets, synops: found.synops };
  }
}

/** Events of each taxel, row by row. */
export function counts(events, side) {
  const found = new Array(side ** 2).fill(0);
  for (const [, row, column] of events) found[row * side + column] += 1;
  return found;
}

/** Answers for a page: `answer(message)` is what a server would send. */
export class Desk {
  constructor(told) {
    this.told = told;
  }

  hello() {
    const first = { name: this.told.name, neuron: "", n_steps: 0, engine: "" };
    return {
      type: "hello", networks: [this.told.name], first, neurons: [], engines: [], sources: [],
      endings: [".csv"], loads: "", collection: null, noise: this.told.noise, dead: 0,
    };
  }

  answer(message) {
    return this[message.type](message);
  }

  choose() {
    return { type: "chosen", network: this.told };
  }

  begin({ noise, dead }) {
    const skin = new Skin(this.told.skin, this.told.duration_ms * 1e3, { noise, dead });
    this.now = { skin, decider: new Decider(this.told), events: [], packets: 0, synops: 0, done: false };
    return { type: "begun", network: this.told, dead: skin.dead, label: null };
  }

  touch({ until, points }) {
    const { now, told } = this, untilUs = until * 1e3, endUs = told.duration_ms * 1e3;
    const fresh = now.done ? [] : now.skin.advance(points.map(([t, ...at]) => [t * 1e3, ...at]), untilUs);
    now.events = now.events.concat(fresh);
    now.done ||= untilUs >= endUs;
    // events of the skin's last step are still to come
    const chunks = now.decider.advance(now.events, now.done ? endUs : Math.max(0, untilUs - 1e3));
    const layers = {};
    for (const chunk of chunks) {
      now.last = chunk;
      now.packets += chunk.packets;
      now.synops += chunk.synops;
      for (const [name, map] of Object.entries(chunk.layers)) {
        layers[name] = map.map((count, k) => count + (layers[name]?.[k] ?? 0));
      }
    }
    return {
      type: "progress",
      events: fresh.map(([t, ...rest]) => [Math.floor(t / 1e3), ...rest]),
      image: Array.from(image(counts(now.events, told.side))),
      outputs: now.last?.outputs ?? null,
      winner: now.last?.winner ?? null,
      whole: now.done ? now.decider.whole(now.events).winner : null,
      margins: chunks.map(({ t, margin, winner }) => [t, margin, winner]),
      layers,
      counters: { events: now.events.length, packets: now.packets, synops: now.synops },
      done: now.done,
    };
  }

  save() {
    const rows = this.now.events.map(([t, row, column, p]) => [row, column, t, p].join(","));
    return { type: "file", name: "skin-recording.csv", content: btoa(["x,y,t,p", ...rows, ""].join("\n")) };
  }
}
