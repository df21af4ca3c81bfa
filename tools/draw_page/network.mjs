// A network of integrate-and-fire neurons, step by step as the event engine runs it, in float32.
// Weights are whole numbers of a unit so small, and so few, that their sums are exact in whatever
// order they are added; only what the image drives is rounded, once.

const { fround } = Math;

/** Whole numbers of an array of 32 bits, in base64. */
export function numbers(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Int32Array(bytes.buffer);
}

/** The tactile image of counts: the largest is 1. */
export function image(counts) {
  const most = Math.max(...counts);
  return Float32Array.from(counts, (count) => (most > 0 ? count / most : 0));
}

/** Convolutions without padding, channels last: a dense layer has a kernel as large as its input. */
class Layer {
  constructor(told, unit) {
    const scaled = (text) => Float32Array.from(numbers(text), (value) => value * unit);
    Object.assign(this, told);
    [this.weights, this.bias, this.start] = [told.weights, told.bias, told.start].map(scaled);
    this.fanOut = numbers(told.fanOut);
    this.size = this.output[0] * this.output[1] * this.output[2];
  }

  /** For each output that value `i` of the input reaches: add(output, weight). */
  reach(i, add) {
    const [, width, channels] = this.input, [rows, columns, filters] = this.output;
    const [high, wide] = this.kernel;
    const channel = i % channels, pixel = (i - channel) / channels;
    const x = pixel % width, y = (pixel - x) / width;
    for (let row = Math.max(0, y - high + 1); row <= Math.min(y, rows - 1); row++) {
      for (let column = Math.max(0, x - wide + 1); column <= Math.min(x, columns - 1); column++) {
        const from = (((y - row) * wide + (x - column)) * channels + channel) * filters;
        const to = (row * columns + column) * filters;
        for (let k = 0; k < filters; k++) add(to + k, this.weights[from + k]);
      }
    }
  }

  /** What an image brings at each step: sums in float64, rounded once. */
  driven(values) {
    const sums = Float64Array.from(this.bias);
    values.forEach((value, i) => {
      if (value) this.reach(i, (j, weight) => { sums[j] += value * weight; });
    });
    return Float32Array.from(sums);
  }
}

/** The network at rest, and what it does from there on. */
export class Network {
  constructor(told) {
    this.layers = told.layers.map((layer) => new Layer(layer, told.unit));
    this.potentials = this.layers.map((layer) => Float32Array.from(layer.start));
    this.discard = told.discard;
    this.sums = [new Float64Array(this.layers.at(-1).size)]; // up to each step
  }

  /**
   * Show an image for some steps: `spikes` has the firing neurons of each layer and step,
   * `outputs` the read-out after each step, the mean over the last of the steps so far.
   */
  run(values, nSteps) {
    const readOut = this.layers.at(-1), neurons = this.layers.slice(0, -1);
    const drive = this.layers[0].driven(values);
    const spikes = neurons.map(() => []), outputs = [];
    let synops = 0;
    for (let t = 0; t < nSteps; t++) {
      let fired = [];
      neurons.forEach((layer, number) => {
        const v = this.potentials[number];
        for (const i of fired) layer.reach(i, (j, weight) => { v[j] += weight; });
        const current = number ? layer.bias : drive;
        fired = [];
        for (let i = 0; i < layer.size; i++) {
          v[i] += current[i];
          if (v[i] >= 1) {
            v[i] -= 1;
            fired.push(i);
            synops += layer.fanOut[i];
          }
        }
        spikes[number].push(fired);
      });
      const sums = Float64Array.from(this.sums.at(-1)), stop = this.sums.length;
      for (const i of fired) readOut.reach(i, (j, weight) => { sums[j] += weight; });
      this.sums.push(sums);
      const start = Math.floor(stop * this.discard), early = this.sums[start];
      const mean = (j) => fround((sums[j] - early[j]) / (stop - start));
      outputs.push(Array.from(readOut.bias, (constant, j) => fround(mean(j) + constant)));
    }
    return { spikes, outputs, synops };
  }
}
