// One file on its way to the server.

import { el } from "../lib/dom.js";
import { bytes, duration } from "../lib/format.js";
import { TimeLeft } from "./time-left.js";

/** {content, onProgress(sentBytes)}, which is first told of 0. */
export function fileProgress(file) {
  const bar = el("progress", {
    max: Math.max(1, file.size),
    value: 0,
    "aria-label": "Progress of the upload",
  });
  const text = el("span", { class: "muted tabular" });
  let timeLeft;
  const onProgress = (sentBytes) => {
    if (sentBytes === 0) timeLeft = new TimeLeft(); // from the beginning, or again
    timeLeft.note(sentBytes);
    const seconds = timeLeft.secondsFor(file.size - sentBytes);
    const left = seconds === null ? "" : `, about ${duration(seconds)} left`;
    bar.value = sentBytes;
    text.textContent =
      sentBytes < file.size
        ? `${bytes(sentBytes)} of ${bytes(file.size)}${left}`
        : "the server reads it …";
  };
  const content = [
    el("p", {}, file.name),
    el("div", { class: "job-line" }, bar, text),
  ];
  return { content, onProgress };
}
