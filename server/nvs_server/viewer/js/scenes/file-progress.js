// One file on its way to the server.

import { el } from "../lib/dom.js";
import { bytes } from "../lib/format.js";

/** {content, onProgress(sentBytes)}. */
export function fileProgress(file) {
  const bar = el("progress", {
    max: Math.max(1, file.size),
    value: 0,
    "aria-label": "Progress of the upload",
  });
  const text = el("span", { class: "muted tabular" });
  const onProgress = (sentBytes) => {
    bar.value = sentBytes;
    text.textContent =
      sentBytes < file.size
        ? `${bytes(sentBytes)} of ${bytes(file.size)}`
        : "the server reads it …";
  };
  const content = [
    el("p", {}, file.name),
    el("div", { class: "job-line" }, bar, text),
  ];
  return { content, onProgress };
}
