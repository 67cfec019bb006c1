// Images of the library, `[H, W, C]` in floats, on 2D canvases.

/** The values of one image as pixels; `range` is that of the values. */
export function toPixels(values, [height, width, channels], range) {
  const [low, high] = range ?? [0, 1];
  const scale = 255 / (high - low || 1);
  const pixels = new ImageData(width, height);
  for (let i = 0, j = 0; i < width * height; i++, j += 4) {
    const first = i * channels;
    for (let c = 0; c < 3; c++) {
      pixels.data[j + c] = (values[first + (channels >= 3 ? c : 0)] - low) * scale;
    }
    pixels.data[j + 3] = 255;
  }
  return pixels;
}

/** Draws an image at its own size; CSS enlarges the canvas. */
export function show(canvas, values, shape, range) {
  const [height, width] = shape;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  canvas.getContext("2d").putImageData(toPixels(values, shape, range), 0, 0);
}

export function blank(canvas) {
  const context = canvas.getContext("2d");
  context.fillStyle = "#000";
  context.fillRect(0, 0, canvas.width, canvas.height);
}
