// Exploring: a code, moved by pointer, keys, sliders or a walk, and the image that the decoder makes of it.

import { latest } from "./latest.js";
import { COLORS, Plane } from "./plane.js";
import { blank, show, toPixels } from "./pixels.js";
import { setUpPad } from "./pad.js";
import { Walk } from "./walk.js";

const byId = (id) => document.getElementById(id);
const MOST_SLIDERS = 64;

export function setUpExploring(explorer, fail) {
  const plane = new Plane(byId("cells"), byId("over"));
  let about = null;
  let code = [];
  let pinned = false;
  let shape = [28, 28, 1];

  const label = () => (about?.labels ? Number(byId("class").value) : undefined);

  const decode = latest(async () => {
    const wanted = Float32Array.from(code);
    try {
      const image = await explorer.call("decode", [wanted, label()]);
      if (image.length === shape[0] * shape[1] * shape[2]) show(byId("decoded"), image, shape, about.range);
    } catch (error) {
      fail(error);
    }
  });

  const view = latest(() => explorer.call("view", [{ x: plane.axes[0], y: plane.axes[1], range: plane.range, code, label: label() }]));

  /** Moves to a code; `except` is the slider that the reader holds. */
  function go(next, except) {
    const off = next.some((value, i) => value !== code[i] && !plane.axes.includes(i));
    code = next;
    plane.marks.code = code;
    plane.redraw();
    document.querySelectorAll("#sliders input").forEach((slider, i) => {
      if (slider !== except) slider.value = code[i];
      slider.nextElementSibling.value = code[i].toFixed(2);
    });
    decode();
    if (off) view();
  }

  function goOnPlane([x, y]) {
    const next = [...code];
    if (plane.axes[1] !== plane.axes[0]) next[plane.axes[1]] = y;
    next[plane.axes[0]] = x;
    go(next);
  }

  const pad = setUpPad(explorer, {
    fail,
    label,
    encoded(ellipse) {
      plane.marks.ellipse = ellipse;
      plane.redraw();
    },
  });
  const walk = new Walk(plane, {
    fail,
    code: () => code,
    go(next) {
      pinned = true;
      go(next);
    },
    gif: (way) => explorer.call("gif", [way, label()]),
  });

  const over = byId("over");
  over.addEventListener("pointermove", (event) => {
    if (!about || (pinned && event.buttons === 0)) return;
    walk.stop();
    goOnPlane(plane.at(event));
  });
  over.addEventListener("pointerdown", (event) => {
    if (!about) return;
    walk.stop();
    pinned = event.pointerType === "mouse" ? !pinned : true;
    goOnPlane(plane.at(event));
    byId("pinned").textContent = pinned ? "Held: click the plane to let go." : "";
  });
  over.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const move = moves[event.key];
    if (!move || !about) return;
    event.preventDefault();
    walk.stop();
    const size = event.shiftKey ? 0.5 : 0.1;
    const clamp = (value) => Math.min(plane.range, Math.max(-plane.range, value));
    goOnPlane(plane.axes.map((axis, i) => clamp(code[axis] + move[i] * size)));
  });
  byId("points").addEventListener("change", ({ target }) => {
    plane.showPoints = target.checked;
    plane.redraw();
  });
  for (const [i, id] of ["axis-x", "axis-y"].entries()) {
    byId(id).addEventListener("change", ({ target }) => {
      plane.axes[i] = Number(target.value);
      plane.redraw();
      view();
    });
  }
  byId("class").addEventListener("change", () => {
    decode();
    view();
    pad.encode();
  });
  byId("random").addEventListener("click", () => go(code.map(gaussian)));
  byId("origin").addEventListener("click", () => go(code.map(() => 0)));

  let strip;

  return {
    pad,
    plane,

    /** The model has changed; the code stays where it can. */
    model(next, fresh) {
      const other = !about || String(about.image) !== String(next.image) || about.latentDim !== next.latentDim || about.labels !== next.labels;
      about = next;
      shape = next.image;
      if (other) {
        const most = next.latentDim - 1;
        plane.axes = [0, Math.min(1, most)];
        code = Array(next.latentDim).fill(0);
        plane.marks = { code, ellipse: null, from: null, to: null };
        plane.reset(shape);
        walk.stop();
        makeSliders(next.latentDim, go, () => code);
        makeAxes(next.latentDim, plane.axes);
        makeClasses(next);
        clearStrip(shape);
        pad.model(next);
        view();
      } else if (fresh) {
        plane.reset(shape);
        walk.stop();
      }
      decode();
      pad.encode();
    },

    tests(values, labels, size, classNames) {
      plane.labels(labels);
      pad.tests(values, labels, size);
      legend(labels, classNames);
      const count = values.length / size;
      for (const canvas of [byId("originals"), byId("reconstructions")]) blank(canvas);
      strip = { values, size, count };
    },

    event(event, value) {
      if (!about) return;
      if (event === "cells") value.cells.forEach((index, i) => plane.cell(index, value.images[i], shape, about.range));
      if (event === "points") for (const { index, codes } of value) plane.point(index, codes);
      if (event === "strip") for (const { index, image } of value) drawStrip(index, image, strip, shape, about.range);
    },
  };
}

const gaussian = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

function makeSliders(count, go, code) {
  const shown = Math.min(count, MOST_SLIDERS);
  byId("sliders").replaceChildren(
    ...Array.from({ length: shown }, (_, i) => {
      const label = document.createElement("label");
      label.append(`z${i + 1}`);
      const slider = Object.assign(document.createElement("input"), { type: "range", min: -3, max: 3, step: 0.01, value: 0 });
      const value = document.createElement("output");
      value.value = "0.00";
      slider.addEventListener("input", () => go(code().map((v, j) => (j === i ? Number(slider.value) : v)), slider));
      label.append(slider, value);
      return label;
    }),
  );
  // An output is a live region by default: a moving pointer would never stop talking.
  for (const output of document.querySelectorAll("#sliders output")) output.setAttribute("aria-live", "off");
}

function makeAxes(count, axes) {
  byId("axes").hidden = count < 3;
  for (const [i, id] of ["axis-x", "axis-y"].entries()) {
    byId(id).replaceChildren(...Array.from({ length: count }, (_, j) => new Option(`z${j + 1}`, j)));
    byId(id).value = axes[i];
  }
}

function makeClasses({ labels, classes }) {
  byId("class-label").hidden = !labels;
  byId("class").replaceChildren(...Array.from({ length: labels }, (_, i) => new Option(classes?.[i] ?? String(i), i)));
}

function legend(labels, names) {
  const count = labels.length ? Math.min(COLORS.length, Math.max(...labels) + 1) : 0;
  byId("legend").replaceChildren(
    ...Array.from({ length: count }, (_, i) => {
      const item = document.createElement("li");
      const dot = document.createElement("span");
      dot.style.background = COLORS[i];
      item.append(dot, names?.[i] ?? String(i));
      return item;
    }),
  );
}

function clearStrip([height, width]) {
  for (const id of ["originals", "reconstructions"]) {
    Object.assign(byId(id), { width: 10 * width, height });
    blank(byId(id));
  }
}

function drawStrip(index, image, tests, shape, range) {
  if (!tests) return;
  const width = shape[1];
  const original = tests.values.subarray(index * tests.size, (index + 1) * tests.size);
  byId("originals").getContext("2d").putImageData(toPixels(original, shape, range), index * width, 0);
  byId("reconstructions").getContext("2d").putImageData(toPixels(image, shape, range), index * width, 0);
}
