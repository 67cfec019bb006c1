// The training worker: the engine on the GPU, the images, and the last checkpoint of the run.

import init, { Engine, Images, Model } from "./cvae-gpu-web.js";
import { readImages } from "./images.js";
import { move, serve } from "./rpc.js";

let engine;
let images; // the whole set
let about;
let tested; // the same set with fewer test images, for evaluations: { count, set }
let last; // bytes of the last checkpoint of the run
let model; // the model of evaluate, encode and decode
let stopping = false; // a pause was asked for
let explorer; // a port to the worker that draws

const ready = init();

const need = (thing, text) => {
  if (!thing) throw new Error(text);
  return thing;
};
const gpu = () => need(engine, "no GPU is open");
const data = () => need(images, "there are no images yet");

function use(bytes, name) {
  const next = new Model(bytes, name);
  release(model);
  model = next;
  return JSON.parse(model.about());
}

/** Browsers tell vendor and architecture; few tell the name of the GPU. */
async function nameOf() {
  const info = (await self.navigator.gpu.requestAdapter())?.info;
  const parts = info?.description || [info?.vendor, info?.architecture].filter(Boolean).join(" ");
  return parts || "a GPU without a name";
}

/** Frees what is not in use. An evaluation that hangs on a lost device keeps what it uses. */
function release(thing) {
  try {
    thing?.free();
  } catch (error) {
    console.warn(error.message);
  }
}

/** Evaluations use the first `count` test images: few on a slow adapter. */
function limitTests(count) {
  const wanted = Math.min(count ?? Infinity, about.test);
  if (wanted === tested?.count) return;
  if (tested && tested.set !== images) release(tested.set);
  tested = { count: wanted, set: wanted < about.test ? images.firstTests(wanted) : images };
}

// Terms of the ELBO during training: of few test images, in a sixth of the time. Milliseconds.
const ESTIMATE = { images: 64, wait: 5, least: 2000, most: 10_000 };
let estimated; // when an estimate may begin again; undefined while one runs

let estimating = Promise.resolve();

/** Waits for an estimate in progress, but not for one on a lost device. */
const evaluated = () => Promise.race([estimating, new Promise((resolve) => setTimeout(resolve, 5000))]);

function estimate(bytes) {
  if (estimated === undefined || performance.now() < estimated) return;
  estimated = undefined;
  estimating = evaluateNow(bytes);
}

async function evaluateNow(bytes) {
  const begun = performance.now();
  let trained;
  try {
    trained = new Model(bytes, "the run");
    const { step } = JSON.parse(trained.about());
    const terms = JSON.parse(await gpu().evaluate(trained, tested.set, ESTIMATE.images, 0n));
    emit("terms", { step, ...terms });
  } catch {
    // Training itself reports what is wrong with the GPU.
  } finally {
    release(trained);
    const now = performance.now();
    // The first one compiles kernels and says little about the next.
    estimated = now + Math.min(ESTIMATE.most, Math.max(ESTIMATE.least, ESTIMATE.wait * (now - begun)));
  }
}

const show = (bytes) => explorer?.postMessage(bytes, [bytes.buffer]);

const methods = {
  /** Opens the adapter, again after the device was lost. */
  async open() {
    await ready;
    engine = undefined;
    if (!self.navigator.gpu) throw new Error("it has no WebGPU, or not in workers");
    engine = await Engine.open(await nameOf());
    return JSON.parse(engine.adapter());
  },

  /** Sends checkpoints of training to the drawing worker. */
  explorer(port) {
    explorer = port;
  },

  async data(source) {
    await ready;
    const { set: next, classNames } = await readImages(Images, source);
    const nextAbout = { ...JSON.parse(next.about()), ...(classNames && { classNames }) };
    await evaluated();
    if (tested && tested.set !== images) release(tested.set);
    release(images);
    [images, tested, about] = [next, undefined, nextAbout];
    return { about, notes: images.notes() };
  },

  /** Values and labels of the first test images. */
  tests(count) {
    const values = data().values(true, 0, count);
    return move({ values, labels: images.labels(true, 0, count) }, [values.buffer]);
  },

  configure: (settings) => Engine.configure(data(), JSON.stringify(settings)),

  /** As `configure`, of a run that starts from the weights of the current model. */
  configureFrom: (settings, name) =>
    Engine.configureFrom(data(), JSON.stringify(settings), need(model, "there is no model yet"), name),

  /** Trains from the last checkpoint or model, or from random weights; true at the end of the run. */
  async train({ config, seconds, tests }) {
    data();
    stopping = false;
    await evaluated();
    if (stopping) return false;
    limitTests(tests);
    estimated = performance.now() + ESTIMATE.least;
    return gpu().train(tested.set, config, last, seconds, (text, values) => {
      const event = JSON.parse(text);
      if (event.event === "checkpoint" || event.event === "done") {
        last = values;
        // The last checkpoint before the end has the same weights.
        if (event.event === "checkpoint") {
          show(values.slice());
          estimate(values);
        }
        return emit("train", event);
      }
      if (event.event === "progress") return emit("train", { ...event, losses: values }, [values.buffer]);
      if (!values) emit("train", event);
    });
  },

  stop() {
    stopping = true;
    engine?.stop();
  },

  /** Forgets the run. */
  reset() {
    last = undefined;
  },

  /** The next training starts from these bytes: a checkpoint, or a model with the first weights. */
  resume(bytes) {
    last = bytes;
  },

  checkpoint: () => last,

  load: (bytes, name) => use(bytes, name),

  /** Makes the model of the run the current one. */
  adopt: () => use(need(last, "nothing is trained yet"), "the run"),

  about: () => model && JSON.parse(model.about()),

  model() {
    const bytes = need(model, "there is no model yet").file();
    return move(bytes, [bytes.buffer]);
  },

  async evaluate(limit, seed) {
    const set = data();
    return JSON.parse(await gpu().evaluate(need(model, "there is no model yet"), set, limit, BigInt(seed)));
  },

  encode: (limit) => gpu().encode(need(model, "there is no model yet"), data(), limit),

  decode: (z, label) => gpu().decode(need(model, "there is no model yet"), Float32Array.from(z), label),

  async check() {
    return JSON.parse(await gpu().check((name) => emit("check", name)));
  },

  async case(bytes, name) {
    return JSON.parse(await gpu().case(bytes, name));
  },

  lose: () => gpu().lose(),
};

const emit = serve(methods);
