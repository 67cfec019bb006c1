// The page for everyone: rules of accessibility, narrow windows, and its size.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { dist, start } from "./harness.mjs";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

let session;
before(async () => (session = await start()));
after(() => session?.stop());

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 360]) {
    test(`${colorScheme}, ${width} pixels wide: axe finds nothing serious, and all fits`, async () => {
      const viewport = { width, height: 800 };
      // The page's policy allows no script of others.
      const page = await session.page("index.html?test", { colorScheme, viewport, bypassCSP: true });
      await page.waitForFunction(() => window.cvae?.state().state === "idle");
      await page.waitForFunction(() => /^Model/.test(document.getElementById("model-about").textContent));
      await page.addScriptTag({ path: axe });
      const { violations, passes } = await page.evaluate(() => window.axe.run());
      assert.ok(passes.length > 10, "axe checked nothing");
      const bad = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
      const said = bad.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
      assert.deepEqual(said, []);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= width, `the page is ${wide} pixels wide`);
      await page.context().close();
    });
  }
}

test("page and wasm take at most 1.5 MB with gzip, without MNIST", (context) => {
  const files = fs.readdirSync(dist, { withFileTypes: true }).filter((entry) => entry.isFile());
  const names = files.map((entry) => entry.name).filter((name) => name !== "mnist.safetensors.gz");
  assert.ok(names.includes("index.html") && names.some((name) => name.endsWith(".wasm")));
  const sizes = names.map((name) => gzipSync(fs.readFileSync(path.join(dist, name)), { level: 9 }).length);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  // CI builds the wasm for speed of the build.
  const quick = process.env.CARGO_PROFILE === "release";
  if (quick) return context.skip("this build is not the small one");
  assert.ok(bytes <= 1.5e6, `${bytes} bytes`);
});

test("the page takes nothing from other servers", async () => {
  const context = await session.browser.newContext();
  const page = await context.newPage();
  const asked = [];
  context.on("request", (request) => asked.push(request.url()));
  await page.goto(`${session.origin}/index.html?test`);
  await page.waitForFunction(() => window.cvae?.state().state === "idle");
  assert.ok(asked.length > 10, `${asked.length} requests`);
  const own = (url) => url.startsWith(session.origin) || /^(data|blob):/.test(url);
  assert.deepEqual(asked.filter((url) => !own(url)), []);
  await context.close();
});
