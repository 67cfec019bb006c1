// The drawing worker: models on the CPU twins, in a wasm instance of its own, so that the pointer never
// waits for the GPU. Between calls it keeps the pictures of the page up to date, a few at a time.

import init, { Model } from "./cvae-gpu-web.js";
import { encodeGif } from "./gif.js";
import { toPixels } from "./pixels.js";
import { move, serve } from "./rpc.js";

const SLICE = 12; // milliseconds of drawing between calls
const POINTED = { recent: 200, idle: 50 }; // milliseconds after a call, and between items while calls come
const STRIP = 10; // test images above their reconstructions

const ready = init();

let model;
let about;
let tests; // { values, labels, size, count } of test images
let view = { n: 20, x: 0, y: 1, range: 3, code: [], label: undefined };
let idle = 4; // milliseconds between slices
let timer;
let called = -Infinity; // when the pointer last asked for something

// What is to be drawn, in order; each item is drawn once after every change.
let version = 0;
let items = [];
let cursor = 0;

function plan() {
  items = [];
  if (!model) return;
  const fits = tests && tests.size === about.image.reduce((a, b) => a * b, 1);
  const points = fits ? tests.count : 0;
  for (let i = 0; i < Math.min(STRIP, points); i++) items.push({ kind: "strip", index: i, version: 0 });
  const cells = view.n ** 2;
  const stride = coprime(cells);
  // Cells in a scattered order show the whole plane early; points in between.
  for (let i = 0; i < Math.max(cells, points); i++) {
    if (i < cells) items.push({ kind: "cell", index: (i * stride) % cells, version: 0 });
    if (i < points) items.push({ kind: "point", index: i, version: 0 });
  }
  cursor = 0;
}

function coprime(n) {
  const gcd = (a, b) => (b ? gcd(b, a % b) : a);
  let stride = Math.max(1, Math.round(n * 0.38));
  while (gcd(n, stride) !== 1) stride++;
  return stride;
}

/** Everything is out of date: the model or the view has changed. */
function refresh(replan) {
  version++;
  if (replan) plan();
  clearTimeout(timer);
  timer = setTimeout(slice, 0);
}

/** The next item that is out of date; undefined if there is none. */
function next() {
  for (let i = 0; i < items.length; i++) {
    const item = items[cursor];
    cursor = (cursor + 1) % items.length;
    if (item.version !== version) return item;
  }
}

function slice() {
  const cells = [];
  const images = [];
  const points = [];
  const strip = [];
  // While the pointer moves, it waits for one item at most.
  const begun = performance.now();
  const pointed = begun < called + POINTED.recent;
  const end = pointed ? begun : begun + SLICE;
  let item;
  do {
    item = next();
    if (!item) break;
    item.version = version;
    if (item.kind === "cell") {
      cells.push(item.index);
      images.push(model.decode(cell(item.index), view.label));
    } else {
      const codes = encodeTest(item.index);
      if (item.kind === "point") points.push({ index: item.index, codes });
      else strip.push({ index: item.index, image: model.decode(codes.subarray(0, about.latentDim), testLabel(item.index)) });
    }
  } while (performance.now() < end);
  if (cells.length) emit("cells", { cells, images });
  if (points.length) emit("points", points);
  if (strip.length) emit("strip", strip);
  timer = item && setTimeout(slice, pointed ? POINTED.idle : idle);
}

function cell(index) {
  const { n, x, y, range } = view;
  const code = Float32Array.from({ length: about.latentDim }, (_, i) => view.code[i] ?? 0);
  const at = (i) => -range + ((i + 0.5) * 2 * range) / n;
  if (y !== x) code[y] = -at(Math.floor(index / n));
  code[x] = at(index % n);
  return code;
}

const testLabel = (index) => tests.labels[index];

function encodeTest(index) {
  const values = tests.values.subarray(index * tests.size, (index + 1) * tests.size);
  return model.encode(values, testLabel(index));
}

async function load(bytes, name) {
  await ready;
  const next = new Model(bytes, name);
  const nextAbout = JSON.parse(next.about());
  const changed = !model || String(nextAbout.image) !== String(about.image) || nextAbout.latentDim !== about.latentDim;
  model?.free();
  [model, about] = [next, nextAbout];
  refresh(changed);
  emit("model", { about, name });
  return about;
}

/** Lets waiting calls run. */
const rest = () => new Promise((resolve) => setTimeout(resolve, 0));

const current = () => {
  if (!model) throw new Error("there is no model yet");
  return model;
};

const methods = {
  load,

  /** Takes checkpoints of training from this port. */
  listen(port) {
    port.onmessage = ({ data }) => load(data, "the run").catch((error) => emit("fault", error.message));
  },

  /** The test images of points and strip: values, and labels where there are some. */
  tests({ values, labels, count }) {
    tests = { values, labels: labels ?? [], count, size: values.length / Math.max(1, count) };
    refresh(true);
  },

  view(next) {
    view = { ...view, ...next };
    refresh(false);
  },

  /** Milliseconds between slices: more where training needs the processor. */
  idle(ms) {
    idle = ms;
  },

  decode(code, label) {
    called = performance.now();
    const image = current().decode(Float32Array.from(code), label);
    return move(image, [image.buffer]);
  },

  encode(image, label) {
    called = performance.now();
    const codes = current().encode(image, label);
    return move(codes, [codes.buffer]);
  },

  /** The bytes of a GIF of these codes. */
  async gif(codes, label) {
    const { image, range } = about;
    const [height, width, channels] = image;
    const frames = codes.map((code) => toPixels(current().decode(Float32Array.from(code), label), image, range));
    const scale = Math.max(1, Math.round(196 / width));
    return encodeGif(frames, { width, height, scale, grey: channels < 3, rest });
  },

  file: () => current().file(),
  onnx: (decoder) => current().onnx(decoder),
};

const emit = serve(methods);
