// A GIF of a few frames with one palette: greys, or a cube of 6×7×6 colours.

/** The bytes of a GIF that repeats; frames are ImageData, enlarged by `scale`. It awaits
 * `rest` after each. */
export async function encodeGif(frames, { width, height, scale, grey, rest, hundredths = 8 }) {
  const out = [];
  const word = (value) => out.push(value & 255, value >> 8);
  const text = (value) => out.push(...[...value].map((c) => c.charCodeAt(0)));
  text("GIF89a");
  word(width * scale);
  word(height * scale);
  out.push(0xf7, 0, 0);
  for (let i = 0; i < 256; i++) out.push(...(grey ? [i, i, i] : cube(i)));
  out.push(0x21, 0xff, 11);
  text("NETSCAPE2.0");
  out.push(3, 1, 0, 0, 0);
  for (const frame of frames) {
    out.push(0x21, 0xf9, 4, 0);
    word(hundredths);
    out.push(0, 0, 0x2c, 0, 0, 0, 0);
    word(width * scale);
    word(height * scale);
    out.push(0, 8);
    const packed = compress(indices(frame, width, height, scale, grey));
    for (let i = 0; i < packed.length; i += 255) {
      const part = packed.slice(i, i + 255);
      out.push(part.length, ...part);
    }
    out.push(0);
    await rest();
  }
  out.push(0x3b);
  return Uint8Array.from(out);
}

const cube = (i) => (i < 252 ? [Math.floor(i / 42) * 51, Math.round((Math.floor(i / 6) % 7) * 42.5), (i % 6) * 51] : [0, 0, 0]);

function indices({ data }, width, height, scale, grey) {
  const found = new Uint8Array(width * height * scale * scale);
  for (let y = 0, at = 0; y < height * scale; y++) {
    for (let x = 0; x < width * scale; x++, at++) {
      const i = 4 * (Math.floor(y / scale) * width + Math.floor(x / scale));
      const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
      found[at] = grey ? r : Math.round(r / 51) * 42 + Math.round(g / 42.5) * 6 + Math.round(b / 51);
    }
  }
  return found;
}

/** LZW with codes of 9 to 12 bits. */
function compress(values) {
  const [clear, end] = [256, 257];
  const bytes = [];
  let [bits, held, size, next] = [0, 0, 9, 258];
  let codes = new Map();
  const write = (code) => {
    held |= code << bits;
    bits += size;
    for (; bits >= 8; bits -= 8, held >>>= 8) bytes.push(held & 255);
  };
  write(clear);
  let code = values[0];
  for (let i = 1; i < values.length; i++) {
    const key = (code << 8) | values[i];
    const known = codes.get(key);
    if (known !== undefined) {
      code = known;
      continue;
    }
    write(code);
    if (next === 4096) {
      write(clear);
      [size, next] = [9, 258];
      codes = new Map();
    } else {
      if (next === 1 << size) size++;
      codes.set(key, next++);
    }
    code = values[i];
  }
  write(code);
  write(end);
  if (bits > 0) bytes.push(held & 255);
  return bytes;
}
