// Image sets from what the page was given. Runs in the training worker.

import { readPictures } from "./pictures.js";

const fetched = async (url) => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} did not load (${response.status})`);
  return new Uint8Array(await response.arrayBuffer());
};

const bytesOf = async (file) => file && new Uint8Array(await file.arrayBuffer());

/** A set of the wasm class `Images`, and names of its classes that it does not know itself. A source is
 * `{ kind, name, … }` with files. */
export async function readImages(Images, source) {
  if (source.kind === "pictures") {
    const { height, width, channels, bytes, labels, classNames } = await readPictures(source.files, source.size);
    return { set: Images.pixels(height, width, channels, bytes, labels, source.name), classNames };
  }
  return { set: await readSet(Images, source) };
}

async function readSet(Images, source) {
  const { kind, name } = source;
  switch (kind) {
    case "mnist":
      return Images.packed(await fetched("mnist.safetensors.gz"), "mnist");
    case "packed":
      return Images.packed(await bytesOf(source.file), source.file.name);
    case "npy":
      return Images.npy(await bytesOf(source.file), source.file.name, source.size);
    case "idx": {
      const { train, trainLabels, test, testLabels } = source;
      const files = await Promise.all([train, trainLabels, test, testLabels].map(bytesOf));
      return Images.idx(...files, name);
    }
    default:
      throw new Error(`There is no data set of the kind “${kind}”.`);
  }
}
