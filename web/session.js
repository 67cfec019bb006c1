// A run: its settings, its state, and what happens to it. It knows no element of the page.

import { History } from "./history.js";
import { forLibrary, toHash } from "./settings.js";
import { Speed } from "./speed.js";

// Seconds between checkpoints, from which the pictures are drawn.
const SECONDS = { software: 2, other: 0.7 };

// Test images where an evaluation is not wanted.
const FEW = 8;

export const isLost = (error) => /was lost/.test(error.message);

/** Fires `change` with the session as it is, and `note` with a text for the reader. */
export class Session extends EventTarget {
  /** opening, none (no GPU), idle, starting, training, stopping, checking */
  state = "opening";
  adapter = { name: "none" };
  settings = null;
  data = null;
  source = null;
  config = null;
  step = 0;
  epoch = 0;
  stepsPerEpoch = 0;
  started = null;
  history = new History();
  speed = new Speed();
  rested = Promise.resolve(); // the end of the last training
  #lost = false;
  #silent = false;
  #worker;

  constructor(worker) {
    super();
    this.#worker = worker;
  }

  #set(state) {
    this.state = state;
    this.changed();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** A later note of the same key replaces the earlier one. */
  note(text, key = text) {
    this.dispatchEvent(new CustomEvent("note", { detail: { text, key } }));
  }

  get busy() {
    return ["starting", "training", "stopping", "checking"].includes(this.state);
  }

  /** Opens the GPU and the data. Without a GPU the data are still of use. */
  open(settings, source = { kind: "mnist", name: "mnist" }) {
    this.ready = this.#open(settings, source);
    return this.ready;
  }

  async #open(settings, source) {
    this.settings = settings;
    let state = "idle";
    try {
      this.adapter = await this.#worker.call("open");
    } catch (error) {
      this.reason = error.message;
      state = "none";
    }
    try {
      await this.load(source);
    } finally {
      this.#set(state);
    }
  }

  /** Loads images. A run on others is over. */
  async load(source) {
    const { about, notes } = await this.#worker.call("data", [source]);
    await this.reset();
    this.data = about;
    this.source = source;
    this.settings = { ...this.settings, data: source.name };
    this.dispatchEvent(new Event("data"));
    this.changed();
    if (notes) this.note(notes);
  }

  /** Other settings; a run with others is over. */
  async use(settings) {
    if (settings.data !== this.source?.name) {
      if (settings.data !== "mnist") throw new Error(`The data set “${settings.data}” is not loaded. Drop its files onto the page.`);
      await this.load({ kind: "mnist", name: "mnist" });
    }
    if (this.data && settings.batch > this.data.train) {
      throw new Error(`A batch of ${settings.batch} is larger than the set: it has ${this.data.train} training images.`);
    }
    // Only the length of a run may change while it goes on.
    const rest = { epochs: 0, steps: null };
    if (this.config && toHash({ ...settings, ...rest }) !== toHash({ ...this.settings, ...rest })) {
      await this.reset();
      this.note("The settings have changed: Start begins another run.", "changed");
    }
    this.settings = settings;
    this.dispatchEvent(new Event("settings"));
    this.changed();
  }

  async reset() {
    if (this.busy) throw new Error("Pause the run first.");
    await this.#worker.call("reset");
    this.config = null;
    [this.step, this.epoch, this.started] = [0, 0, null];
    this.history = new History();
    this.speed = new Speed();
    this.changed();
  }

  /** The next training goes on from a checkpoint. Its configuration is in its metadata. */
  async take(bytes, history) {
    if (this.busy) throw new Error("Pause the run first.");
    const { step } = await this.#worker.call("load", [bytes, "the checkpoint"]);
    const run = readNotes(bytes);
    if (step == null || !run) throw new Error("This file has no training state: it can be explored, but training cannot go on with it.");
    const settings = settingsOf(run, this.settings, this.source.name);
    const mine = JSON.parse(await this.#worker.call("configure", [forLibrary(settings)]));
    if (run.data_sha256 && run.data_sha256 !== mine.data_sha256) {
      throw new Error(`The run of this checkpoint is on other images (“${run.data}”). Load those first.`);
    }
    await this.reset();
    await this.#worker.call("resume", [bytes]);
    this.settings = settings;
    this.config = JSON.stringify(run, null, 2);
    this.step = step;
    if (history) this.history = History.from(history);
    this.history.cut(step);
    this.changed();
  }

  /** The next training is a new run from the weights of a model, which the worker has loaded. */
  async from(bytes, name) {
    if (this.busy) throw new Error("Pause the run first.");
    const config = await this.#worker.call("configureFrom", [forLibrary(this.settings), name]);
    await this.reset();
    await this.#worker.call("resume", [bytes]);
    this.settings = settingsOf(JSON.parse(config), this.settings, this.source.name);
    this.config = config;
    this.changed();
  }

  /** Trains to the end of the run, for `count` steps, or until paused. True at its end. */
  train(options) {
    if (this.busy) return Promise.resolve(false);
    const trained = this.#train(options);
    this.rested = trained.catch(() => {});
    return trained;
  }

  async #train({ tests, count, steps } = {}) {
    if (this.state === "none") throw new Error(this.reason);
    this.#set("starting");
    try {
      const config = await this.#configuration(steps, count);
      if (this.state === "stopping") return false;
      // A single step is not worth an evaluation: few images, and no report.
      this.#silent = count !== undefined && this.step > 0;
      if (this.#silent) tests = Math.min(tests ?? Infinity, FEW);
      return await this.#recovering({ config, tests, seconds: SECONDS[this.adapter.type] ?? SECONDS.other });
    } finally {
      this.speed.restart();
      await this.#worker.call("adopt").catch(() => {});
      this.#set("idle");
      this.dispatchEvent(new Event("rest"));
    }
  }

  /** The text of config.json; its end is that of the settings, or `count` steps away. */
  async #configuration(steps, count) {
    this.config ??= await this.#worker.call("configure", [forLibrary(this.settings)]);
    const config = JSON.parse(this.config);
    config.epochs = this.settings.epochs;
    config.max_steps = steps ?? this.settings.steps;
    this.config = JSON.stringify(config, null, 2);
    if (count) config.max_steps = this.step + count;
    return JSON.stringify(config);
  }

  /** Trains. A lost device is opened again once. */
  async #recovering(request) {
    if (this.#lost) await this.#reopen();
    for (let again = true; ; again = false) {
      try {
        return await this.#worker.call("train", [request]);
      } catch (error) {
        if (!isLost(error)) throw error;
        this.#lost = true;
        if (!again) throw new Error("The GPU was lost for the second time, so training has stopped. The last checkpoint is kept: Continue tries again.");
      }
      this.note("The GPU was lost, and is being opened again.", "lost");
      await this.#reopen();
      this.note("The GPU was lost and opened again. Training continues from the last checkpoint.", "lost");
    }
  }

  async #reopen() {
    this.speed.restart();
    this.adapter = await this.#worker.call("open");
    this.#lost = false;
  }

  /** Ends training soon, with a checkpoint. */
  async pause() {
    if (this.state !== "training" && this.state !== "starting") return;
    this.#set("stopping");
    await this.#worker.call("stop");
  }

  /** An event of the training loop. */
  on(event) {
    switch (event.event) {
      case "started":
        this.started = event;
        this.stepsPerEpoch = event.steps_per_epoch;
        this.step = event.step;
        this.history.cut(event.step);
        break;
      case "progress":
        if (this.state === "starting") this.state = "training";
        this.step = event.step;
        this.epoch = event.epoch;
        this.history.add(event.step, event.losses);
        this.speed.progress(event.losses.length);
        break;
      case "epoch": {
        if (this.#silent) break;
        const { event: _, ...report } = event;
        this.history.report(report);
        this.speed.restart();
        break;
      }
      case "checkpoint":
        this.speed.restart();
        this.dispatchEvent(new Event("checkpoint"));
        break;
      case "warning":
        this.note(event.message);
        break;
    }
    this.changed();
  }

  /** Terms of the ELBO of a few test images. */
  estimate(terms) {
    if (terms.step > this.step) return;
    this.history.estimates.push(terms);
    this.changed();
  }

  /** Compares the kernels and recorded cases with their references. */
  async check({ cases = [], kernels = true } = {}) {
    if (this.busy) throw new Error("Pause the run first.");
    if (this.state === "none") throw new Error(this.reason);
    this.#set("checking");
    try {
      if (this.#lost) await this.#reopen();
      const sections = [];
      if (kernels) sections.push(...(await this.#worker.call("check")).sections);
      for (const name of cases) {
        const response = await fetch(`golden/${name}.safetensors`);
        if (!response.ok) throw new Error(`golden/${name}.safetensors did not load (${response.status})`);
        const bytes = new Uint8Array(await response.arrayBuffer());
        sections.push(...(await this.#worker.call("case", [bytes, name])).sections);
      }
      return { sections };
    } catch (error) {
      if (isLost(error)) this.#lost = true;
      throw error;
    } finally {
      this.#set("idle");
    }
  }
}

/** The configuration of the run in the metadata of a checkpoint that the library has read. */
function readNotes(bytes) {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const run = header.__metadata__?.run;
  return run && JSON.parse(run);
}

/** The form's settings of a run of the command line, as far as the form has them. */
function settingsOf(run, settings, data) {
  return {
    ...settings,
    data,
    seed: run.seed,
    batch: run.batch,
    epochs: run.epochs,
    steps: run.max_steps,
    lr: run.lr,
    beta: run.beta ?? settings.beta,
    latentDim: run.latent_dim ?? settings.latentDim,
    encoderFilters: run.encoder_filters ?? settings.encoderFilters,
    decoderFilters: run.decoder_filters ?? settings.decoderFilters,
    kl: run.loss === undefined || run.loss === "mc" ? "mc" : "analytic",
    flip: run.flip ?? false,
  };
}
