// Pictures that the browser decodes: one size, grey where all of them are. Runs in the training worker.

const USUAL = 64; // pixels a side of pictures of several sizes
const MOST = 512 << 20; // bytes of all decoded pictures

/** Files are `{ file, path }`. Folders within the dropped one are classes. */
export async function readPictures(files, size) {
  const sorted = [...files].sort((a, b) => (a.path < b.path ? -1 : 1));
  const first = await decode(sorted[0]);
  const own = !size && (await sameSize(sorted, first));
  const [width, height] = own ? [first.width, first.height] : [size ?? USUAL, size ?? USUAL];
  first.close();
  const area = width * height;
  if (3 * area * sorted.length > MOST) {
    throw new Error(`${sorted.length} pictures of ${width}×${height} are too many for this page. Choose a smaller size, or fewer pictures.`);
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const colors = new Uint8Array(3 * area * sorted.length);
  let grey = true;
  for (const [i, entry] of sorted.entries()) {
    const picture = await decode(entry);
    draw(context, picture, width, height);
    picture.close();
    const { data } = context.getImageData(0, 0, width, height);
    for (let p = 0, at = 3 * area * i; p < data.length; p += 4, at += 3) {
      colors[at] = data[p];
      colors[at + 1] = data[p + 1];
      colors[at + 2] = data[p + 2];
      grey &&= data[p] === data[p + 1] && data[p] === data[p + 2];
    }
  }
  const bytes = grey ? colors.filter((_, i) => i % 3 === 0) : colors;
  return { height, width, channels: grey ? 1 : 3, bytes, ...labelsOf(sorted) };
}

async function decode({ file, path }) {
  try {
    return await createImageBitmap(file);
  } catch {
    throw new Error(`“${path}” is no picture that this browser can read.`);
  }
}

/** Whether all pictures have the size of the first, and a small one. */
async function sameSize(files, first) {
  if (Math.max(first.width, first.height) > 2 * USUAL) return false;
  for (const entry of files) {
    const picture = await decode(entry);
    const same = picture.width === first.width && picture.height === first.height;
    picture.close();
    if (!same) return false;
  }
  return true;
}

/** The middle of the picture, without distortion. */
function draw(context, picture, width, height) {
  const scale = Math.max(width / picture.width, height / picture.height);
  const [w, h] = [picture.width * scale, picture.height * scale];
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, (width - w) / 2, (height - h) / 2, w, h);
}

/** Classes by folder, where there are at least two. */
function labelsOf(files) {
  const folders = files.map(({ path }) => path.split("/").slice(0, -1).join("/"));
  const names = [...new Set(folders)].sort();
  if (names.length < 2) return {};
  const numbers = new Map(names.map((name, i) => [name, i]));
  return { labels: Uint32Array.from(folders, (folder) => numbers.get(folder)), classNames: names.map((name) => name.split("/").at(-1)) };
}
