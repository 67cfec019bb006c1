// Counts what a worker asks of WebGPU: when it maps buffers to read them, and the buffers that it
// holds. The tests load it before a worker's own code.
if (globalThis.GPUBuffer !== undefined && self.counted === undefined) {
  const counted = { maps: [], live: 0, bytes: 0, created: 0 };
  self.counted = counted;
  const { mapAsync, destroy } = GPUBuffer.prototype;
  const { createBuffer } = GPUDevice.prototype;
  const held = new WeakSet();
  GPUBuffer.prototype.mapAsync = function (...rest) {
    counted.maps.push({ at: performance.now(), bytes: rest[2] ?? this.size });
    return mapAsync.apply(this, rest);
  };
  const drop = (buffer) => {
    if (!held.delete(buffer)) return;
    counted.live -= 1;
    counted.bytes -= buffer.size;
  };
  GPUBuffer.prototype.destroy = function () {
    drop(this);
    return destroy.call(this);
  };
  GPUDevice.prototype.createBuffer = function (descriptor) {
    const buffer = createBuffer.call(this, descriptor);
    held.add(buffer);
    counted.live += 1;
    counted.bytes += buffer.size;
    counted.created += 1;
    return buffer;
  };
}
