// Training by the wasm module on Chrome's WebGPU, without the page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./harness.mjs";

const SETTINGS = { seed: 7, batch: 8, steps: 200, encoderFilters: [8, 16] };

let session;
let worker;

before(async () => {
  session = await start();
  ({ worker } = await session.engine());
});
after(() => session?.stop());

test("training stops when told, and the rest of the run follows its checkpoint", async () => {
  const run = await worker.evaluate(async (settings) => {
    const whole = await self.cvae.train(self.engine, { settings });
    const seen = ({ event, step }) => event === "progress" && step >= 10 && self.engine.stop();
    const first = await self.cvae.train(self.engine, { settings, seen });
    const { config, checkpoint: resume } = first;
    const second = await self.cvae.train(self.engine, { config, resume });
    return { whole: whole.losses, done: [first.done, second.done], parts: [first.losses, second.losses] };
  }, SETTINGS);
  assert.deepEqual(run.done, [false, true]);
  assert.ok(run.parts[0].length > 0 && run.parts[0].length < 200, `${run.parts[0].length} steps`);
  assert.deepEqual(run.parts.flat(), run.whole);
});

// Trains 500 small steps; what the run asked of WebGPU, and what remains. Buffers must not wait for the
// collector of garbage. In a page, since a browser tells no worker the size of its heap.
const measure = (page) =>
  page.evaluate(async () => {
    self.counted.maps.length = 0;
    const { created } = self.counted;
    const settings = { seed: 1, batch: 4, steps: 500, encoderFilters: [4, 8] };
    const { losses, events } = await self.cvae.train(self.engine, { settings });
    const [buffers, bytes] = [self.counted.live, self.counted.bytes];
    self.gc();
    return {
      steps: losses.length,
      maps: self.counted.maps,
      progress: events.filter((event) => event.event === "progress").map((event) => event.at),
      created: self.counted.created - created,
      buffers,
      bytes,
      wasm: self.cvae.memory.buffer.byteLength,
      heap: performance.memory.usedJSHeapSize,
    };
  });

let steady; // the second and the third such run
async function measured() {
  if (steady) return steady;
  const page = await session.page("test/module.html");
  await page.addScriptTag({ type: "module", url: "/test/module.js" });
  await page.waitForFunction(() => window.cvae);
  await page.evaluate(async () => {
    self.engine = await self.cvae.Engine.open();
  });
  const runs = [await measure(page), await measure(page), await measure(page)];
  await page.context().close();
  return (steady = runs.slice(1));
}

test("memory stays flat over 500 steps", async () => {
  const [before, after] = await measured();
  assert.equal(after.steps, 500);
  assert.equal(after.wasm, before.wasm, "the memory of wasm grows");
  // Those of the plans and of some readbacks, and none for each step or submission.
  assert.ok(after.created < 80, `${after.created} new buffers for 500 steps`);
  assert.ok(after.buffers <= before.buffers, `${after.buffers} buffers after ${before.buffers}`);
  assert.ok(after.bytes <= before.bytes, `${after.bytes} bytes in buffers after ${before.bytes}`);
  console.log(`# ${after.bytes} bytes in ${after.buffers} buffers, ${after.created} made, a heap of ${after.heap}`);
  assert.ok(after.heap <= before.heap + 1e6, `a heap of ${after.heap} bytes after ${before.heap}`);
});

test("results are read back at most once in 250 ms", async () => {
  const [, { maps, progress }] = await measured();
  const during = maps.filter(({ at }) => at > progress[0] && at < progress.at(-1));
  const seconds = (progress.at(-1) - progress[0]) / 1000;
  assert.ok(during.length <= 4 * seconds + 1, `${during.length} readbacks in ${seconds.toFixed(1)} s`);
});

test("without the compiler's time, the first step comes within 3 s of the start", async () => {
  const fresh = await session.module();
  const { ready, compiled, again } = await fresh.worker.evaluate(async () => {
    const settings = { seed: 1, batch: 32, steps: 1 };
    const first = async () => {
      const begun = performance.now();
      const { events } = await self.cvae.train(self.engine, { settings });
      return events.find(({ event }) => event === "progress").at - begun;
    };
    self.engine = await self.cvae.Engine.open();
    self.mnist = self.cvae.Images.packed(await self.cvae.bytes("/mnist.safetensors.gz"), "mnist");
    const ready = performance.now(); // since the start of the worker
    // The shorter of two, since other programs may take the processors for a while.
    return { ready, compiled: await first(), again: Math.min(await first(), await first()) };
  });
  await fresh.page.context().close();
  assert.ok(again < compiled, "the second run compiles again");
  console.log(`# ready after ${ready.toFixed(0)} ms, first step after ${again.toFixed(0)} ms more`);
  assert.ok(ready + again <= 3000, `${ready.toFixed(0)} and ${again.toFixed(0)} ms`);
});

test("a batch that is too large is an error that says which one fits", async () => {
  const messages = await worker.evaluate(async () => {
    self.mnist ??= self.cvae.Images.packed(await self.cvae.bytes("/mnist.safetensors.gz"), "mnist");
    const refused = async (settings) => {
      const config = self.cvae.Engine.configure(self.mnist, JSON.stringify(settings));
      return self.engine.train(self.mnist, config, undefined, 600, () => {}).catch((error) => error.message);
    };
    const limits = await refused({ batch: 60000, encoderFilters: [256, 512] });
    // A GPU whose memory is 100 MB.
    const { popErrorScope } = GPUDevice.prototype;
    const most = self.counted.bytes + 1e8;
    GPUDevice.prototype.popErrorScope = async function () {
      const error = await popErrorScope.call(this);
      return error ?? (self.counted.bytes > most ? new GPUOutOfMemoryError("no more") : null);
    };
    const memory = await refused({ batch: 1024 });
    GPUDevice.prototype.popErrorScope = popErrorScope;
    return { limits, memory };
  });
  const fits = (message) => Number(message.match(/use a smaller batch \(up to (\d+) fits\)/)?.[1]);
  assert.ok(fits(messages.limits) > 100 && fits(messages.limits) < 60000, messages.limits);
  assert.ok(fits(messages.memory) > 10 && fits(messages.memory) < 1024, messages.memory);
  assert.match(messages.memory, /^the GPU has no memory for/);
});

test("a lost device is an error that says so, and training goes on with a new one", async () => {
  const run = await worker.evaluate(async (settings) => {
    self.mnist ??= self.cvae.Images.packed(await self.cvae.bytes("/mnist.safetensors.gz"), "mnist");
    const images = self.mnist.firstTests(64);
    const { Engine } = self.cvae;
    const config = Engine.configure(images, JSON.stringify(settings));
    let checkpoint;
    let before = 0;
    let message = "";
    try {
      await self.engine.train(images, config, undefined, 0.5, (text, values) => {
        const { event, step } = JSON.parse(text);
        if (event === "checkpoint") checkpoint = values;
        if (event !== "progress") return;
        before = step;
        if (checkpoint) self.engine.lose();
      });
    } catch (error) {
      message = error.message;
    }
    self.engine = await Engine.open();
    const rest = await self.cvae.train(self.engine, { config, resume: checkpoint });
    return { message, before, losses: rest.losses, done: rest.done, first: rest.events[0].step };
  }, SETTINGS);
  assert.match(run.message, /lost/);
  assert.ok(run.done);
  assert.ok(run.first > 0 && run.first <= run.before, `it goes on at ${run.first}`);
  assert.equal(run.first + run.losses.length, SETTINGS.steps);
});
