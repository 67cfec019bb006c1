// serve-web - serve a folder to browsers on this machine.
//
// usage: node scripts/serve-web.mjs [PORT] [FOLDER]
//
// The browser tests import `serve`. It listens on 127.0.0.1 alone.

import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { fileURLToPath } from "node:url";

const types = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};

// The file of a URL's path, below the folder whose prefix is the longest; none outside of it.
function locate(folders, url) {
  let name;
  try {
    name = decodeURIComponent(new URL(url, "http://localhost").pathname);
  } catch {
    return undefined;
  }
  const prefixes = Object.keys(folders).sort((a, b) => b.length - a.length);
  const prefix = prefixes.find((known) => name.startsWith(known));
  if (prefix === undefined || name.includes("\0")) return undefined;
  const root = path.resolve(folders[prefix]);
  const file = path.join(root, name.slice(prefix.length) || "index.html");
  const inside = file === root || file.startsWith(root + path.sep);
  if (!inside) return undefined;
  return name.endsWith("/") ? path.join(file, "index.html") : file;
}

// Serves folders by prefix, such as {"/": "web/dist"}. `edit(name, bytes)` may replace what a path
// returns. Resolves to the server and its address.
export function serve(folders, { port = 0, edit = (_, bytes) => bytes } = {}) {
  const server = http.createServer((request, response) => {
    const refuse = (status) => response.writeHead(status).end();
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(405);
    const file = locate(folders, request.url);
    if (file === undefined) return refuse(404);
    fs.readFile(file, (error, bytes) => {
      if (error) return refuse(404);
      const body = edit(request.url.split("?")[0], bytes);
      response.writeHead(200, {
        "cache-control": "no-store",
        "content-length": Buffer.byteLength(body),
        "content-type": types[path.extname(file)] ?? "application/octet-stream",
      });
      response.end(request.method === "HEAD" ? undefined : body);
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      resolve({ server, origin: `http://127.0.0.1:${server.address().port}` });
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port = "8000", folder = "web/dist"] = process.argv.slice(2);
  try {
    const { origin } = await serve({ "/": folder }, { port: Number(port) });
    console.log(`${folder} is at ${origin}/`);
  } catch (error) {
    console.error(`serve-web: port ${port}: ${error.message}; choose another one with PORT=`);
    process.exitCode = 1;
  }
}
