// Counts what a worker asks of WebGPU: when it maps buffers to read them, and the buffers that it
// holds: neither destroyed nor collected. The tests load it before a worker's own code.
if (globalThis.GPUBuffer !== undefined && self.counted === undefined) {
  const counted = { maps: [], live: 0, bytes: 0, created: 0 };
  self.counted = counted;
  const { mapAsync, destroy } = GPUBuffer.prototype;
  const { createBuffer } = GPUDevice.prototype;
  const held = new WeakMap();
  const collected = new FinalizationRegistry((entry) => forget(entry));
  GPUBuffer.prototype.mapAsync = function (...rest) {
    counted.maps.push({ at: performance.now(), bytes: rest[2] ?? this.size });
    return mapAsync.apply(this, rest);
  };
  const forget = (entry) => {
    if (!entry.counts) return;
    entry.counts = false;
    counted.live -= 1;
    counted.bytes -= entry.bytes;
  };
  GPUBuffer.prototype.destroy = function () {
    if (held.has(this)) forget(held.get(this));
    return destroy.call(this);
  };
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    const entry = { bytes: buffer.size, counts: true };
    held.set(buffer, entry);
    collected.register(buffer, entry);
    counted.live += 1;
    counted.bytes += buffer.size;
    counted.created += 1;
    return buffer;
  };
}
