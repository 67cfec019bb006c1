// Line plots on a 2D canvas, in the colours of the style sheet.

const PAD = { left: 48, right: 10, top: 26, bottom: 22 };

/** Round numbers between `low` and `high`. */
export function ticks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step * 1e-6; value += step) found.push(value);
  return { values: found, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function fit(canvas) {
  const scale = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

function extent(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [0, 1];
  const room = (high - low) * 0.05 || Math.abs(high) * 0.05 || 1;
  return [low - room, high + room];
}

/** Series are `{ name, color, points: [x, y][], dots, line }`; the colour is a custom property. */
export function plot(canvas, series, { empty, xLabel = "step" }) {
  const { context, width, height } = fit(canvas);
  if (width < 80) return;
  const style = getComputedStyle(canvas);
  const color = (name) => style.getPropertyValue(name).trim();
  context.font = "12px system-ui, sans-serif";
  const all = series.flatMap(({ points }) => points);
  const [low, high] = extent(all.map(([, y]) => y));
  const right = Math.max(1, ...all.map(([x]) => x));
  const inner = { width: width - PAD.left - PAD.right, height: height - PAD.top - PAD.bottom };
  const at = ([x, y]) => [PAD.left + (x / right) * inner.width, PAD.top + (1 - (y - low) / (high - low)) * inner.height];

  context.strokeStyle = color("--grid");
  context.fillStyle = color("--faint");
  context.lineWidth = 1;
  if (all.length === 0) {
    context.strokeRect(PAD.left, PAD.top, inner.width, inner.height);
    context.textAlign = "center";
    context.fillText(empty, PAD.left + inner.width / 2, height / 2);
    return;
  }
  context.textAlign = "right";
  context.textBaseline = "middle";
  const vertical = ticks(low, high, Math.max(2, inner.height / 40));
  for (const value of vertical.values) {
    const y = Math.round(at([0, value])[1]) + 0.5;
    context.beginPath();
    context.moveTo(PAD.left, y);
    context.lineTo(width - PAD.right, y);
    context.stroke();
    context.fillText(value.toFixed(vertical.digits), PAD.left - 6, y);
  }
  context.textBaseline = "alphabetic";
  const horizontal = ticks(0, right, Math.max(2, inner.width / 90));
  for (const value of horizontal.values.filter((value) => value > 0 && value === Math.round(value))) {
    context.textAlign = value > 0.97 * right ? "right" : "center";
    context.fillText(value.toLocaleString("en"), at([value, low])[0], height - 6);
  }
  context.textAlign = "left";
  context.fillText(xLabel, 4, height - 6);

  for (const { color: name, points, dots, line = true } of series) {
    context.strokeStyle = context.fillStyle = color(name);
    context.lineWidth = 1.5;
    context.beginPath();
    points.map(at).forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (line) context.stroke();
    if (!dots && points.length > 1) continue;
    for (const [x, y] of points.map(at)) {
      context.beginPath();
      context.arc(x, y, 3.5, 0, 2 * Math.PI);
      context.fill();
    }
  }
  legend(context, series.filter(({ name, points }) => name && points.length), color);
}

/** Names and colours in a row above the plot. */
function legend(context, series, color) {
  context.textAlign = "left";
  context.textBaseline = "middle";
  let x = PAD.left;
  for (const { name, color: own } of series) {
    context.fillStyle = color(own);
    context.fillRect(x, 10, 14, 4);
    context.fillStyle = color("--text");
    context.fillText(name, x + 19, 12);
    x += 19 + context.measureText(name).width + 18;
  }
}
