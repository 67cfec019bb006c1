/** Calls `work` with the newest argument: those that come while it runs replace each other. */
export function latest(work) {
  let busy = false;
  let next;
  return async (argument) => {
    next = { argument };
    if (busy) return;
    busy = true;
    try {
      while (next) {
        const { argument } = next;
        next = undefined;
        await work(argument);
      }
    } finally {
      busy = false;
    }
  };
}
