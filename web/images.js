// Image sets from what the page was given. Runs in the training worker.

const fetched = async (url) => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} did not load (${response.status})`);
  return new Uint8Array(await response.arrayBuffer());
};

/** A set of the wasm class `Images`. A source is `{ kind, … }`, with bytes in typed arrays. */
export async function readImages(Images, source) {
  switch (source.kind) {
    case "mnist":
      return Images.packed(await fetched("mnist.safetensors.gz"), "mnist");
    case "packed":
      return Images.packed(source.bytes, source.name);
    case "npy":
      return Images.npy(source.bytes, source.name, source.size);
    case "idx":
      return Images.idx(source.train, source.trainLabels, source.test, source.testLabels, source.name);
    case "pixels": {
      const { height, width, channels, bytes, labels, name } = source;
      return Images.pixels(height, width, channels, bytes, labels, name);
    }
    default:
      throw new Error(`there is no data set of the kind ${source.kind}`);
  }
}
