// Starts a server and a browser for the tests, and runs functions where the wasm module is.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { serve } from "../../scripts/serve-web.mjs";

export const root = fileURLToPath(new URL("../..", import.meta.url));
const target = path.resolve(root, process.env.CARGO_TARGET_DIR ?? "target");
export const dist = path.join(root, "web/dist");
export const binary = path.join(target, "release/cvae-gpu");
export const modules = path.join(target, "web/modules.json");

// SwiftShader is the one adapter of a machine without a GPU.
const flags = [
  "--headless=new",
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--js-flags=--expose-gc",
  "--enable-precise-memory-info",
];
const swiftshader = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-unsafe-swiftshader",
];

function browserPath() {
  const known = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const found = [process.env.CHROMIUM, ...known].find((file) => file && fs.existsSync(file));
  if (!found) throw new Error("no Chromium: run scripts/ensure-browser, or set CHROMIUM");
  return found;
}

// Whatever the browser says is in the output of a test that fails.
function listen(page) {
  const say = (text) => console.log(`# browser: ${text.slice(0, 500)}`);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) say(message.text());
  });
  page.on("pageerror", (error) => say(error.message));
  page.on("crash", () => say("the page crashed"));
}

// A browser and a server of web/dist. `gpu: false` leaves WebGPU out. `edit` changes served files.
export async function start({ gpu = true, edit } = {}) {
  const folders = {
    "/": dist,
    "/golden/": path.join(root, "assets/golden"),
    "/test/": path.join(root, "tests/web/pages"),
    "/built/": path.join(target, "web"),
  };
  const { server, origin } = await serve(folders, { edit });
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "cvae-gpu-web-"));
  const browser = await chromium.launch({
    executablePath: browserPath(),
    headless: false,
    args: [...flags, ...(gpu ? swiftshader : ["--disable-features=WebGPU"])],
  });
  return {
    browser,
    origin,
    temporary,
    golden: path.join(root, "assets/golden"),
    // A page with a profile of its own. `before` runs in it before its scripts.
    async page(name, { before, ...options } = {}) {
      const context = await browser.newContext(options);
      if (before) await context.addInitScript(before);
      const page = await context.newPage();
      // On two slow cores SwiftShader compiles the kernels of a run in half a minute.
      page.setDefaultTimeout(120_000);
      listen(page);
      await page.goto(`${origin}/${name}`);
      return page;
    },
    // A worker with the module in `self.cvae`, and a page beside it.
    async module() {
      const page = await this.page("test/module.html");
      const worker = page.workers()[0] ?? (await page.waitForEvent("worker"));
      await worker.evaluate(async () => {
        const patience = performance.now() + 120_000;
        while (self.cvae === undefined) {
          if (performance.now() > patience) throw new Error("the wasm module does not start");
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      });
      return { page, worker };
    },
    // The same with an open engine in `self.engine`.
    async engine() {
      const module = await this.module();
      await module.worker.evaluate(async () => {
        self.engine = await self.cvae.Engine.open();
      });
      return module;
    },
    async stop() {
      await browser.close();
      fs.rmSync(temporary, { recursive: true, force: true });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// Runs the program of the command line; its standard output.
export function program(...args) {
  return execFileSync(binary, args, {
    encoding: "utf8",
    env: { ...process.env, NODEVICE_SELECT: "1", GALLIVM_PERF: "nopt" },
    maxBuffer: 1 << 28,
    // A run that it is told to resume lies elsewhere; relative paths are those of this project.
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
  });
}

// The losses of every step in the JSON lines of `train --log-every 1`.
export function logged(text) {
  const events = text.trim().split("\n").map((line) => JSON.parse(line));
  return events.filter((event) => event.event === "progress").map((event) => event.loss);
}

export function assertClose(actual, expected, relative) {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, i) => {
    const error = Math.abs(value - expected[i]) / Math.abs(expected[i]);
    assert.ok(error <= relative, `loss ${i + 1}: ${value}, not ${expected[i]}`);
  });
}

// A run as the command line resumes it.
export function runFolder(context, { config, checkpoint }) {
  const run = folder(context);
  fs.writeFileSync(path.join(run, "config.json"), config);
  fs.writeFileSync(path.join(run, "checkpoint.safetensors"), checkpoint);
  return run;
}

// An edit of served files: pages/count.js before the worker `name`.
export const count = (name) => (served, bytes) =>
  served === name ? `import "/test/count.js";\n${bytes}` : bytes;

// A folder that is removed after the test `context`.
export function folder(context) {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), "cvae-gpu-web-"));
  context.after(() => fs.rmSync(made, { recursive: true, force: true }));
  return made;
}
