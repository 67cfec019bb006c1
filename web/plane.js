// A plane of the latent space: decoded cells below, and above them the test images as points, the code
// under the pointer, the ellipse of an encoded image, and a walk.

import { toPixels } from "./pixels.js";

// One colour for each class, readable on dark pictures.
export const COLORS = ["#4e9bff", "#ff9f40", "#41d16d", "#ff6262", "#c08bff", "#d9a066", "#ff86d5", "#c9cdd4", "#e6e14a", "#33d6e6"];

const MOST = 1600; // pixels of the cells' canvas

export class Plane {
  range = 3;
  n = 20;
  axes = [0, 1];
  marks = { code: null, ellipse: null, from: null, to: null };
  showPoints = true;
  #points = new Map();
  #labels = [];
  #cells;
  #over;
  #tile;
  #dirty = false;

  constructor(cells, over) {
    this.#cells = cells;
    this.#over = over;
    this.#tile = new OffscreenCanvas(1, 1);
    new ResizeObserver(() => this.redraw()).observe(over);
  }

  /** Another kind of model: the plane is empty. */
  reset([height, width]) {
    const shrink = Math.min(1, MOST / (this.n * Math.max(height, width)));
    const side = Math.max(1, Math.floor(Math.max(height, width) * shrink)) * this.n;
    [this.#cells.width, this.#cells.height] = [side, side];
    this.#cells.getContext("2d").fillRect(0, 0, side, side);
    this.#points.clear();
    this.redraw();
  }

  labels(labels) {
    this.#labels = labels;
    this.#points.clear();
    this.redraw();
  }

  cell(index, values, shape, range) {
    const [height, width] = shape;
    if (this.#tile.width !== width || this.#tile.height !== height) this.#tile = new OffscreenCanvas(width, height);
    this.#tile.getContext("2d").putImageData(toPixels(values, shape, range), 0, 0);
    const side = this.#cells.width / this.n;
    const context = this.#cells.getContext("2d");
    context.drawImage(this.#tile, (index % this.n) * side, Math.floor(index / this.n) * side, side, side);
  }

  point(index, codes) {
    this.#points.set(index, codes);
    this.redraw();
  }

  clearPoints() {
    this.#points.clear();
    this.redraw();
  }

  /** The coordinates of a pointer event on both axes. */
  at(event) {
    const box = this.#over.getBoundingClientRect();
    const share = (value, low, size) => Math.min(1, Math.max(0, (value - low) / size));
    const x = share(event.clientX, box.left, box.width);
    const y = share(event.clientY, box.top, box.height);
    return [this.range * (2 * x - 1), this.range * (1 - 2 * y)];
  }

  redraw() {
    if (this.#dirty) return;
    this.#dirty = true;
    requestAnimationFrame(() => {
      this.#dirty = false;
      this.#draw();
    });
  }

  #draw() {
    const scale = window.devicePixelRatio || 1;
    const side = this.#over.clientWidth;
    const pixels = Math.round(side * scale);
    if (this.#over.width !== pixels) [this.#over.width, this.#over.height] = [pixels, pixels];
    const context = this.#over.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, side, side);
    const unit = side / (2 * this.range);
    const place = (code) => [(code[this.axes[0]] + this.range) * unit, (this.range - (this.axes[0] === this.axes[1] ? 0 : code[this.axes[1]])) * unit];

    if (this.showPoints) this.#drawPoints(context, place);
    const { from, to, ellipse, code } = this.marks;
    if (from && to) {
      stroke(context, () => {
        context.moveTo(...place(from));
        context.lineTo(...place(to));
      });
    }
    if (from) tag(context, place(from), "A");
    if (to) tag(context, place(to), "B");
    if (ellipse) {
      for (const deviations of [1, 2]) {
        const radius = this.axes.map((axis) => deviations * Math.exp(0.5 * ellipse.logvar[axis]) * unit);
        stroke(context, () => context.ellipse(...place(ellipse.mean), ...radius, 0, 0, 2 * Math.PI), "#ffe14d");
      }
      const [x, y] = place(ellipse.mean);
      stroke(context, () => (context.moveTo(x - 5, y), context.lineTo(x + 5, y), context.moveTo(x, y - 5), context.lineTo(x, y + 5)), "#ffe14d");
    }
    if (code) {
      const [x, y] = place(code);
      stroke(context, () => context.arc(x, y, 8, 0, 2 * Math.PI));
      stroke(context, () => context.arc(x, y, 1, 0, 2 * Math.PI));
    }
  }

  #drawPoints(context, place) {
    context.lineWidth = 1;
    context.strokeStyle = "rgb(0 0 0 / 0.7)";
    for (const [index, code] of this.#points) {
      context.fillStyle = COLORS[(this.#labels[index] ?? 0) % COLORS.length];
      context.beginPath();
      context.arc(...place(code), 3, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    }
  }
}

/** A line with a dark edge: visible on black and on white. */
function stroke(context, path, color = "#fff") {
  for (const [width, style] of [[4, "rgb(0 0 0 / 0.8)"], [2, color]]) {
    context.lineWidth = width;
    context.strokeStyle = style;
    context.beginPath();
    path();
    context.stroke();
  }
}

function tag(context, [x, y], text) {
  context.fillStyle = "#fff";
  context.strokeStyle = "#000";
  context.lineWidth = 1.5;
  context.beginPath();
  context.arc(x, y, 9, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
  context.fillStyle = "#000";
  context.font = "bold 12px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, x, y + 1);
}
