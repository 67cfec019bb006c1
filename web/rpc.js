// Calls between the page and its workers. A call is a message with a number; the answer has the same
// number. Events are messages without one.

/** Answers calls on `port` with `methods`; returns a function that sends events. */
export function serve(methods, port = self) {
  port.onmessage = async ({ data }) => {
    const { id, name, args } = data;
    if (!Object.hasOwn(methods, name)) return;
    try {
      const { value, transfer = [] } = wrap(await methods[name](...args));
      port.postMessage({ id, value }, transfer);
    } catch (error) {
      port.postMessage({ id, error: { name: error?.name ?? "Error", message: String(error?.message ?? error) } });
    }
  };
  return (event, value, transfer = []) => port.postMessage({ event, value }, transfer);
}

const moved = new WeakSet();

/** A result whose buffers are moved to the other side instead of copied. */
export function move(value, transfer) {
  const result = { value, transfer };
  moved.add(result);
  return result;
}

const wrap = (value) => (typeof value === "object" && value !== null && moved.has(value) ? value : { value });

/** The calling side. `listen(event, value)` gets the events. */
export function connect(port, listen = () => {}) {
  let last = 0;
  const waiting = new Map();
  port.onmessage = ({ data }) => {
    if (data.event !== undefined) return listen(data.event, data.value);
    const { resolve, reject } = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.error === undefined) return resolve(data.value);
    reject(Object.assign(new Error(data.error.message), { name: data.error.name }));
  };
  const fail = (reason) => {
    for (const { reject } of waiting.values()) reject(new Error(reason));
    waiting.clear();
  };
  port.onerror = (event) => fail(`a worker failed: ${event.message ?? "it did not load"}`);
  return {
    call(name, args = [], transfer = []) {
      return new Promise((resolve, reject) => {
        waiting.set(++last, { resolve, reject });
        port.postMessage({ id: last, name, args }, transfer);
      });
    },
  };
}
