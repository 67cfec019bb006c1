// The page: starts the workers and connects the parts.

import { setUpDownloads } from "./downloads.js";
import { setUpDrop } from "./drop.js";
import { setUpExploring } from "./explore.js";
import { pauseWhenHidden } from "./hidden.js";
import { setUpKeeper } from "./keeper.js";
import { dismiss, notice, say } from "./notices.js";
import { setUpProof } from "./prove.js";
import { connect } from "./rpc.js";
import { exposeTo } from "./script.js";
import { Session } from "./session.js";
import { fromHash } from "./settings.js";
import { setUpTraining } from "./train.js";

const byId = (id) => document.getElementById(id);

// Test images of an evaluation: all of them take minutes on a software adapter.
const TESTS = { software: 500 };
// Test images that are drawn as points.
const POINTS = 400;
// Milliseconds of rest between slices of drawing; a software adapter needs the processor itself.
const IDLE = { usual: 4, training: 60 };
const MNIST = { kind: "mnist", name: "mnist" };

const BROWSERS =
  "WebGPU is in Chrome and Edge from version 113 (Linux: 144, or with --enable-unsafe-webgpu), Safari from version 26, and Firefox from version 141 on Windows and 145 on Macs with Apple's processors. It needs https or localhost.";

const SLOW = "– a software adapter: it computes on the processor, a hundred times slower than a GPU. A small batch and few steps are best. Evaluations use 500 test images.";

const fail = (error) => {
  console.error(error);
  notice("failure", error.message, { bad: true });
};

const worker = connect(new Worker("worker.js", { type: "module" }), (event, value) => {
  if (event === "train") session.on(value);
  if (event === "terms") session.estimate(value);
  if (event === "check") checking(value);
});
const explorer = connect(new Worker("explorer.js", { type: "module" }), (event, value) => {
  if (event === "fault") fail(new Error(value));
  if (event === "model") showModel(value);
  else exploring.event(event, value);
});
const channel = new MessageChannel();
worker.call("explorer", [channel.port1], [channel.port1]);
explorer.call("listen", [channel.port2], [channel.port2]);

const session = new Session(worker);
const exploring = setUpExploring(explorer, fail);
const training = setUpTraining(session);
const checking = setUpProof(session, fail);
setUpDownloads({ worker, explorer, session, fail });
const keeper = setUpKeeper({ worker, session, fail, onContinue: restore });
pauseWhenHidden(session, training.train);
const open = setUpDrop(take, fail);
const testing = new URLSearchParams(location.search).has("test");
if (testing) exposeTo(window, { worker, session, open });

let shown = {};

function showModel({ about, name }) {
  // Cells of another run would be mistaken for those of this one.
  exploring.model(about, name !== shown.name || (about.step ?? 0) < shown.step);
  shown = { name, step: about.step ?? 0 };
  const { image, latentDim, step } = about;
  const parts = [`Model: ${name}`, `images of ${image[1]}×${image[0]}${image[2] > 1 ? `×${image[2]}` : ""}`, `${latentDim} latent dimension${latentDim > 1 ? "s" : ""}`];
  if (step != null) parts.push(`step ${step.toLocaleString("en")}`);
  const other = session.data && String(session.data.shape) !== String(image);
  byId("model-about").textContent = `${parts.join(", ")}.${other ? " The loaded images are of another size: the plane has no points." : ""}`;
}

async function showData() {
  const { name, shape, train, test, classes, classNames } = session.data;
  const [height, width, channels] = shape;
  byId("data-about").textContent = `Data: ${name}, ${train.toLocaleString("en")} training and ${test.toLocaleString("en")} test images of ${width}×${height}×${channels}${classes ? `, ${classes} class${classes === 1 ? "" : "es"}` : ", no labels"}.`;
  byId("use-mnist").hidden = session.source.kind === "mnist";
  const { values, labels } = await worker.call("tests", [POINTS]);
  const size = height * width * channels;
  exploring.tests(values.slice(), Array.from(labels), size, classNames);
  await explorer.call("tests", [{ values, labels, count: values.length / size }], [values.buffer]);
}

/** What was dropped: images to train on, a model to explore, a checkpoint to continue. */
async function take(found) {
  dismiss("failure");
  if (found.kind === "model" || found.kind === "checkpoint") {
    const bytes = new Uint8Array(await found.file.arrayBuffer());
    await explorer.call("load", [bytes, found.file.name]).catch((error) => {
      throw new Error(error.message.includes(found.file.name) ? error.message : `${found.file.name}: ${error.message}`);
    });
    const about = await worker.call("load", [bytes, found.file.name]);
    if (found.kind === "model") return offerStart(bytes, found.file.name, about);
    await session.take(bytes);
    await training.show();
    return notice("loaded", `${found.file.name} is loaded, at step ${session.step.toLocaleString("en")} of a run. Continue goes on with it${session.state === "none" ? " in a browser with WebGPU" : ""}.`);
  }
  if (session.busy) throw new Error("Pause the run first: other images begin another run.");
  await session.load(found);
  await training.show();
  say(`${session.data.name} is loaded.`);
}

/** A model can be explored; where it takes the images, training can start from its weights too. */
function offerStart(bytes, name, { image }) {
  if (session.state === "none" || String(session.data?.shape) !== String(image)) return say(`${name} is loaded.`);
  const press = async () => {
    try {
      await session.from(bytes, name);
      await training.show();
      say("Start trains from these weights.");
    } catch (error) {
      fail(error);
    }
  };
  notice("loaded", `${name} is loaded: explore it, or let the next run start from its weights.`, {
    buttons: [{ text: "Start from its weights", press }],
  });
}

/** Goes on with the run that the browser kept. */
async function restore(run) {
  await session.load(run.source);
  await session.take(run.checkpoint, run.history);
  session.settings = run.settings;
  await explorer.call("load", [run.checkpoint, "the kept run"]);
  await training.show();
  if (session.state === "idle" && !training.over()) training.train();
}

let idle = IDLE.usual;

session.addEventListener("change", () => {
  const { state, adapter } = session;
  const none = state === "none" ? "none: this page can explore, but not train" : adapter.name;
  byId("adapter").textContent = state === "opening" && adapter.name === "none" ? "opening…" : none;
  byId("adapter-hint").textContent = adapter.type === "software" ? SLOW : "";
  session.tests = TESTS[adapter.type];
  const next = session.busy && adapter.type === "software" ? IDLE.training : IDLE.usual;
  if (next !== idle) explorer.call("idle", [next]);
  idle = next;
});
session.addEventListener("data", () => showData().catch(fail));
byId("use-mnist").addEventListener("click", () => take(MNIST).catch(fail));

async function embedded() {
  const response = await fetch("trained.safetensors");
  if (!response.ok) throw new Error(`The embedded model did not load (${response.status}).`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (session.step === 0) await explorer.call("load", [bytes, "trained in advance, ten epochs of MNIST"]);
}

async function begin() {
  // Without storage for it the page needs a network, and nothing else is lost.
  if (!testing) navigator.serviceWorker?.register("offline.js").catch(() => {});
  const { settings, wrong } = fromHash(location.hash);
  if (wrong.length) notice("address", `The address has settings that this page does not know or cannot read: ${wrong.join(", ")}. The usual values take their place.`);
  if (settings.data !== "mnist") notice("address", `The run of this address is on “${settings.data}”. Drop its files onto the page to repeat it.`);
  const opened = session.open({ ...settings, data: "mnist" }, MNIST);
  training.fill();
  await Promise.all([opened.catch(fail), embedded().catch(fail)]);
  if (session.state === "none") {
    const reason = window.isSecureContext ? session.reason : "the page came neither over https nor from localhost";
    notice("none", `This browser gives the page no GPU: ${reason}. ${BROWSERS}\nYou can explore a trained model here.`, {
      buttons: [{ text: "Explore", press: () => byId("explore").focus() }],
    });
  }
  await keeper.offer();
}

begin().catch(fail);
