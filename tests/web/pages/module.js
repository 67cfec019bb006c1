// The wasm module alone, for tests that call it in this worker.
import "./count.js";
import init, { Engine, Images, Model } from "/cvae-gpu-web.js";

const exports = await init();

async function bytes(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return new Uint8Array(await answer.arrayBuffer());
}

// Trains with these settings on the first images of MNIST's test set beside its training set. Resolves
// to the losses, the events with their times, and the last checkpoint. `seen` gets each event.
async function train(engine, { settings, config, resume, seconds = 600, tests = 64, limit, seen }) {
  self.mnist ??= Images.packed(await bytes("/mnist.safetensors.gz"), "mnist");
  const images = self.mnist.firstTests(tests);
  config ??= Engine.configure(images, JSON.stringify(settings));
  const run = { config, losses: [], events: [] };
  run.done = await engine.train(images, config, resume, seconds, (text, values) => {
    const event = JSON.parse(text);
    run.events.push({ ...event, at: performance.now() });
    seen?.(event);
    if (event.event === "progress") run.losses.push(...values);
    if (event.event === "checkpoint" || event.event === "done") run.checkpoint = values;
  });
  if (limit !== undefined) {
    const model = new Model(run.checkpoint, "checkpoint.safetensors");
    run.terms = JSON.parse(await engine.evaluate(model, self.mnist, limit, BigInt(settings.seed)));
    run.model = model.file();
  }
  return run;
}

self.cvae = { Engine, Images, Model, memory: exports.memory, bytes, train };
