// Every shader of the plans of a GPU, compiled by Chrome.

import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { modules as file, start } from "./harness.mjs";

let session;
let page;
before(async () => {
  session = await start();
  page = await session.page("test/module.html");
  await page.evaluate(async () => {
    const adapter = await navigator.gpu.requestAdapter();
    const requiredLimits = { maxStorageBuffersPerShaderStage: 10 };
    window.device = await adapter.requestDevice({ requiredLimits });
  });
});
after(() => session?.stop());

const modules = JSON.parse(fs.readFileSync(file, "utf8"));

// Errors by label, of modules or of pipelines.
const compile = (modules) =>
  page.evaluate(async (modules) => {
    const { device } = window;
    const visibility = GPUShaderStage.COMPUTE;
    const layout = (bindings) => ({
      entries: bindings.map(({ number: binding, writable, texels }) =>
        texels
          ? { binding, visibility, storageTexture: { access: "read-only", format: "rgba32float" } }
          : { binding, visibility, buffer: { type: writable ? "storage" : "read-only-storage" } },
      ),
    });
    // The constants in place, so that the compiler computes with them without a pipeline.
    const filled = ({ text, constants }) =>
      Object.entries(constants).reduce((text, [name, value]) => {
        const declared = new RegExp(`\\boverride(\\s+${name}\\s*:\\s*(\\w+))\\s*(=[^;]*)?;`);
        return text.replace(declared, (_, rest, type) => `const${rest} = ${type}(${value});`);
      }, text);
    const errorOf = async (module) => {
      const { messages } = await module.getCompilationInfo();
      return messages.find((message) => message.type === "error")?.message;
    };
    const one = async (given) => {
      const { label, text, entry: entryPoint, constants, bindings } = given;
      const known = await errorOf(device.createShaderModule({ label, code: filled(given) }));
      if (known !== undefined) return `${label}: ${known}`;
      if (!given.pipeline) return;
      const module = device.createShaderModule({ label, code: text });
      const group = device.createBindGroupLayout(layout(bindings));
      const whole = device.createPipelineLayout({ bindGroupLayouts: [group] });
      try {
        const compute = { module, entryPoint, constants };
        await device.createComputePipelineAsync({ label, layout: whole, compute });
      } catch (error) {
        return `${label}: ${error.message}`;
      }
    };
    // A few at a time: the browser compiles them on threads of its own.
    const queue = [...modules];
    const errors = [];
    const work = async () => {
      while (queue.length) errors.push(await one(queue.pop()));
    };
    await Promise.all(Array.from({ length: 4 }, work));
    return errors.filter(Boolean);
  }, modules);

test(`Chrome takes the ${modules.length} shaders of training and inference`, async () => {
  assert.ok(modules.length > 100);
  // SwiftShader takes up to seconds for each: those of the tutorial's train step must do.
  assert.ok(modules.filter(({ pipeline }) => pipeline).length > 5);
  assert.deepEqual(await compile(modules), []);
});

test("Chrome refuses a shader that is wrong", async () => {
  const [module] = modules;
  const wrong = { ...module, text: `${module.text}\nfn wrong() -> u32 { return 1.5; }` };
  const unnamed = { ...module, entry: "nothing", pipeline: true };
  assert.equal((await compile([wrong, unnamed])).length, 2);
});
