// Saving things on the user's device.

import { connected, request } from "./api.js";
import { el } from "./dom.js";

/** Saves a blob under a name. */
export function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/** Saves a value as JSON. */
export function saveJson(value, name) {
  saveBlob(
    new Blob([JSON.stringify(value, null, 1)], { type: "application/json" }),
    name,
  );
}

/** Fetches a file with the key and saves it; `onProgress(bytes, total|null)`. */
export async function saveFrom(path, name, onProgress = () => {}) {
  const response = await request("GET", path);
  const total = Number(response.headers.get("Content-Length")) || null;
  const chunks = [];
  let received = 0;
  for (const reader = response.body.getReader(); ;) {
    const { value, done } = await connected(reader.read());
    if (done) break;
    chunks.push(value);
    received += value.length;
    onProgress(received, total);
  }
  saveBlob(
    new Blob(chunks, { type: response.headers.get("Content-Type") ?? "" }),
    name,
  );
}

/** A name for a file: letters, digits, dots and dashes only. */
export function fileName(text, ending) {
  const stem = text
    .normalize("NFKD")
    .replace(/[^A-Za-z0-9.-]+/g, "-")
    .replace(/^[-.]+|[-.]+$/g, "");
  return `${stem || "scene"}${ending}`;
}
