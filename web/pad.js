// The drawing pad: a drawn or a test image, its code, and its reconstruction.

import { latest } from "./latest.js";
import { blank, show } from "./pixels.js";

const byId = (id) => document.getElementById(id);

export function setUpPad(explorer, { fail, label, encoded }) {
  const canvas = byId("pad");
  let about = null;
  let image = new Float32Array(28 * 28);
  let drawn = false;
  let tests = null;
  let next = 0;
  let at = null;

  const low = () => about?.range?.[0] ?? 0;
  const high = () => about?.range?.[1] ?? 1;

  const encode = latest(async () => {
    if (!about || !drawn) return;
    const { latentDim, image: shape, likelihood } = about;
    // A model of black and white images knows no grey.
    const given = likelihood === "bernoulli" ? image.map((value) => (value < 0.5 ? 0 : 1)) : image.slice();
    try {
      const codes = await explorer.call("encode", [given, label()]);
      const mean = Array.from(codes.subarray(0, latentDim));
      const logvar = Array.from(codes.subarray(latentDim));
      encoded({ mean, logvar });
      show(byId("reconstructed"), await explorer.call("decode", [mean, label()]), shape, about.range);
      const text = mean.slice(0, 4).map((m, i) => `${m.toFixed(2)} ± ${Math.exp(0.5 * logvar[i]).toFixed(2)}`);
      byId("pad-code").textContent = `Code: ${text.join(", ")}${latentDim > 4 ? ", …" : ""}`;
    } catch (error) {
      fail(error);
    }
  });

  function clear() {
    image.fill(low());
    drawn = false;
    at = null;
    if (about) show(canvas, image, about.image, about.range);
    blank(byId("reconstructed"));
    byId("pad-code").textContent = "";
    encoded(null);
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
  }

  function draw(from, to) {
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]);
    const count = Math.max(1, Math.ceil(2 * length));
    for (let i = 1; i <= count; i++) dab(from[0] + ((to[0] - from[0]) * i) / count, from[1] + ((to[1] - from[1]) * i) / count);
    drawn = true;
    show(canvas, image, about.image, about.range);
    encode();
  }

  /** A soft round brush. */
  function dab(x, y) {
    const [height, width, channels] = about.image;
    const radius = Math.max(0.7, 0.045 * Math.max(height, width));
    const ink = inkOf(byId("ink").value, channels, low(), high());
    for (let row = Math.max(0, Math.floor(y - radius - 1)); row < Math.min(height, y + radius + 1); row++) {
      for (let column = Math.max(0, Math.floor(x - radius - 1)); column < Math.min(width, x + radius + 1); column++) {
        const cover = Math.min(1, Math.max(0, radius + 0.5 - Math.hypot(column + 0.5 - x, row + 0.5 - y)));
        for (let c = 0; c < channels; c++) {
          const i = (row * width + column) * channels + c;
          const mixed = (1 - cover) * image[i] + cover * ink[c];
          image[i] = channels === 1 ? Math.max(image[i], mixed) : mixed;
        }
      }
    }
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!about) return;
    canvas.setPointerCapture(event.pointerId);
    at = place(event);
    draw(at, at);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!at) return;
    const to = place(event);
    draw(at, to);
    at = to;
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => (at = null));
  byId("clear").addEventListener("click", clear);
  byId("next-test").addEventListener("click", () => {
    if (!tests || tests.size !== image.length) return;
    image.set(tests.values.subarray(next * tests.size, (next + 1) * tests.size));
    next = (next + 1) % tests.count;
    drawn = true;
    show(canvas, image, about.image, about.range);
    encode();
  });

  return {
    encode: () => encode(),
    model(nextAbout) {
      about = nextAbout;
      const [height, width, channels] = about.image;
      image = new Float32Array(height * width * channels);
      Object.assign(byId("reconstructed"), { width, height });
      byId("ink-label").hidden = channels < 3;
      clear();
    },
    tests(values, labels, size) {
      tests = { values, size, count: values.length / size };
      next = 0;
    },
  };
}

function inkOf(color, channels, low, high) {
  if (channels < 3) return Array(channels).fill(high);
  return [1, 3, 5].map((i) => low + (parseInt(color.slice(i, i + 2), 16) / 255) * (high - low));
}
