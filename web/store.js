// The last checkpoint in the browser's storage, so that a run outlives the page.

const [NAME, TABLE, KEY] = ["cvae-gpu", "runs", "last"];

function database() {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("another tab holds the storage"));
  });
}

async function act(mode, work) {
  const open = await database();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = open.transaction(TABLE, mode);
      const request = work(transaction.objectStore(TABLE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    open.close();
  }
}

export const keep = (run) => act("readwrite", (table) => table.put(run, KEY));
export const kept = () => act("readonly", (table) => table.get(KEY));
export const forget = () => act("readwrite", (table) => table.delete(KEY));
