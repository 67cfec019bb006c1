// The service worker: the newest file from the server, or without a network the one that was last seen.

const CACHE = "cvae-gpu";

// Files that the text of another one loads.
const NAMES = /(?:from |import |Worker\(|fetch\(|fetched\(|URL\(|src=|href=)["'](?:\.\/)?([\w-]+\.[\w.-]+)["']/g;

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(keepAll());
});
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && new URL(request.url).origin === location.origin) event.respondWith(answer(request));
});

async function answer(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) cache.put(request, response.clone()).catch(() => {});
    return response;
  } catch (error) {
    const known = await cache.match(request.mode === "navigate" ? "./" : request, { ignoreSearch: true });
    if (known) return known;
    throw error;
  }
}

/** Keeps every file that the page names, directly or in another file. */
async function keepAll() {
  const cache = await caches.open(CACHE);
  const found = new Set(["./"]);
  for (const name of found) {
    const response = await fetch(name);
    if (!response.ok) continue;
    await cache.put(name, response.clone());
    if (!/(\/|\.js)$/.test(name)) continue;
    for (const [, other] of (await response.text()).matchAll(NAMES)) found.add(other);
  }
}
