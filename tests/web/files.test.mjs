// Files that are dropped onto the page: what it takes, and what it says about the others.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { deflateSync, gunzipSync, gzipSync } from "node:zlib";
import { start } from "./harness.mjs";

let session;
let page;
let trained; // a model
let checkpoint;

before(async () => {
  session = await start();
  page = await session.page("index.html?test");
  await page.waitForFunction(() => window.cvae?.state().state === "idle");
  trained = fs.readFileSync(path.join(session.golden, "trained.safetensors"));
});
after(() => session?.stop());

// Drops files, an object of bytes by name; what the page then says of its data, and of failures.
const drop = (files) =>
  page.evaluate(
    async (files) => {
      const list = files.map(([name, base64, type]) => ({
        name,
        type,
        bytes: Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)),
      }));
      await window.cvae.drop(list);
      const text = (selector) => document.querySelector(selector)?.textContent ?? "";
      return {
        data: text("#data-about"),
        model: text("#model-about"),
        failure: text('.notice[data-key="failure"] p'),
        step: window.cvae.state().step,
        state: window.cvae.state().state,
      };
    },
    Object.entries(files).map(([name, bytes]) => {
      const type = /\.png$/.test(name) ? "image/png" : "";
      return [name, Buffer.from(bytes).toString("base64"), type];
    }),
  );

// Bytes that look like images: a dot that moves.
const image = (i, height, width) =>
  Uint8Array.from({ length: height * width }, (_, p) => (p % (i + 2) === 0 ? 255 : 0));
const images = (count, height, width) =>
  Buffer.concat(Array.from({ length: count }, (_, i) => image(i % 7, height, width)));

function idx(dimensions, bytes) {
  const header = Buffer.alloc(4 + 4 * dimensions.length);
  header.writeUInt32BE(0x800 + dimensions.length);
  dimensions.forEach((size, i) => header.writeUInt32BE(size, 4 + 4 * i));
  return Buffer.concat([header, bytes]);
}

function npy(shape, bytes, type = "|u1") {
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const header = Buffer.alloc(128, " ");
  header.write("\x93NUMPY\x01\x00", 0, "latin1");
  header.writeUInt16LE(118, 8);
  header.write(text, 10, "latin1");
  header.write("\n", 127);
  return Buffer.concat([header, bytes]);
}

function crc(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) {
    value ^= byte;
    for (let i = 0; i < 8; i++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return (value ^ 0xffffffff) >>> 0;
}

// A PNG in colour, or in grey.
function png(width, height, value) {
  const channels = Array.isArray(value) ? 3 : 1;
  const row = Buffer.concat([Buffer.alloc(1), Buffer.alloc(width * channels, Buffer.from([value].flat()))]);
  const chunk = (name, data) => {
    const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length);
    ends.writeUInt32BE(crc(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header.set([8, channels === 3 ? 2 : 0], 8);
  const data = deflateSync(Buffer.concat(Array(height).fill(row)));
  const magic = Buffer.from("\x89PNG\r\n\x1a\n", "latin1");
  return Buffer.concat([magic, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

const good = {
  "an IDX pair": [
    {
      "train-images-idx3-ubyte": idx([40, 12, 16], images(40, 12, 16)),
      "train-labels-idx1-ubyte": idx([40], Uint8Array.from({ length: 40 }, (_, i) => i % 3)),
    },
    /36 training and 4 test images of 16×12×1, 3 classes/,
  ],
  "an IDX file with gzip": [
    { "train-images-idx3-ubyte.gz": gzipSync(idx([20, 8, 8], images(20, 8, 8))) },
    /18 training and 2 test images of 8×8×1, no labels/,
  ],
  "an array": [{ "faces.npy": npy([30, 12, 8], images(30, 12, 8)) }, /27 training and 3 test images of 8×12×1/],
  "pictures in folders of classes": [
    Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [
        `pets/${i % 2 ? "cats" : "dogs"}/${i}.png`,
        png(16, 8, [10 * i, 250 - 10 * i, 90]),
      ]),
    ),
    /pets, 18 training and 2 test images of 16×8×3, 2 classes/,
  ],
  "grey pictures": [
    Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`grey/${i}.png`, png(8, 8, 20 * i)])),
    /grey, 9 training and 1 test images? of 8×8×1, no labels/,
  ],
};

for (const [name, [files, expected]] of Object.entries(good)) {
  test(`${name} becomes the data`, async () => {
    const found = await drop(files);
    assert.equal(found.failure, "");
    assert.match(found.data, expected);
  });
}

test("a packed set becomes the data", async () => {
  const set = fs.readFileSync(path.join(session.golden, "../mnist.safetensors.gz"));
  const found = await drop({ "digits.safetensors.gz": set });
  assert.equal(found.failure, "");
  assert.match(found.data, /60,000 training and 10,000 test images of 28×28×1, 10 classes/);
});

test("a run on dropped images trains", async () => {
  await drop({ "squares.npy": npy([40, 8, 8], images(40, 8, 8)) });
  const losses = await page.evaluate(async () => {
    const settings = { seed: 1, batch: 4, steps: 3, encoderFilters: [4, 8] };
    return (await window.cvae.train({ ...settings, data: "squares" })).loss;
  });
  assert.equal(losses.length, 3);
  assert.ok(losses.every((loss) => loss > 0 && loss < 200), losses.join(" "));
  checkpoint = Buffer.from(await page.evaluate(async () => Array.from((await window.cvae.checkpoint()).bytes)));
});

test("a checkpoint is a run to continue", async () => {
  await page.evaluate(() => document.getElementById("reset").click());
  const found = await drop({ "checkpoint.safetensors": checkpoint });
  assert.equal(found.failure, "");
  assert.equal(found.step, 3);
});

test("a model is there to explore", async () => {
  const found = await drop({ "mine.safetensors": trained });
  assert.equal(found.failure, "");
  assert.match(found.model, /mine\.safetensors, images of 28×28, 2 latent dimensions/);
});

const truncated = (bytes) => bytes.subarray(0, bytes.length - 100);
const bad = {
  "a text": () => ({ "notes.txt": Buffer.from("not an image at all, only words") }),
  "an empty file": () => ({ "empty.npy": Buffer.alloc(0) }),
  "a truncated model": () => ({ "model.safetensors": truncated(trained) }),
  "a safetensors file without a model": () => {
    const header = Buffer.from('{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}');
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    return { "other.safetensors": Buffer.concat([length, header, Buffer.alloc(4)]) };
  },
  "a checkpoint of other images": () => ({ "checkpoint.safetensors": checkpoint }),
  "a truncated array": () => ({ "cut.npy": truncated(npy([30, 12, 8], images(30, 12, 8))) }),
  "an array of complex numbers": () => ({ "waves.npy": npy([4, 2, 2], Buffer.alloc(128), "<c8") }),
  "an IDX file whose header promises too much": () => ({
    "train-images-idx3-ubyte": idx([1 << 30, 1 << 12, 1 << 12], Buffer.alloc(64)),
  }),
  "IDX labels alone": () => ({ "train-labels-idx1-ubyte": idx([9], Buffer.alloc(9)) }),
  "labels of another number than the images": () => ({
    "train-images-idx3-ubyte": idx([20, 8, 8], images(20, 8, 8)),
    "train-labels-idx1-ubyte": idx([19], Buffer.alloc(19)),
  }),
  "a picture that is none": () => ({ "broken.png": Buffer.from("\x89PNG\r\n\x1a\nand then nothing", "latin1") }),
  "a gzip that is no set": () => ({ "set.safetensors.gz": gzipSync(Buffer.from("nothing of use")) }),
};

test("bad files are refused, each with a reason, and nothing else changes", async (context) => {
  const mnist = fs.readFileSync(path.join(session.golden, "../mnist.safetensors.gz"));
  assert.ok(gunzipSync(mnist).length > 1e6);
  const before = await drop({ "digits.safetensors.gz": mnist });
  for (const [name, files] of Object.entries(bad)) {
    await context.test(name, async () => {
      const found = await drop(files());
      if (process.env.VERBOSE) console.log(`# ${name}: ${found.failure}`);
      assert.ok(found.failure.length > 20, `it says “${found.failure}”`);
      assert.doesNotMatch(found.failure, /unreachable|undefined|RuntimeError|\[object/);
      assert.equal(found.data, before.data);
      assert.equal(found.state, "idle");
    });
  }
});
