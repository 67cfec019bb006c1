// The wasm module on Chrome's WebGPU, without the page.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./harness.mjs";

let session;
let worker;

before(async () => {
  session = await start();
  ({ worker } = await session.engine());
});
after(() => session?.stop());

for (const name of ["p1", "p2", "m1", "m2", "m3", "m4", "m5", "m6"]) {
  test(`the recorded case ${name} holds`, async () => {
    const table = JSON.parse(
      await worker.evaluate(async (name) => {
        const answer = await fetch(`/golden/${name}.safetensors`);
        return self.engine.case(new Uint8Array(await answer.arrayBuffer()), name);
      }, name),
    );
    if (process.env.VERBOSE) console.log(JSON.stringify(table).slice(0, 1500));
    assert.ok(table.passed);
  });
}
