// The files of an upload, each with its own progress.

import { el } from "../lib/dom.js";
import { bytes, duration } from "../lib/format.js";
import { TimeLeft } from "./time-left.js";

const TEXTS = {
  waiting: "waiting",
  hashing: "reading",
  done: "sent",
  skipped: "already there",
};

/** A list that follows an Uploader. */
export function fileList(uploader) {
  const rows = new Map(uploader.items.map((item) => [item, rowOf(item)]));
  const total = el("progress", {
    max: Math.max(1, uploader.totalBytes),
    value: 0,
    "aria-label": "Progress of the upload",
  });
  const text = el("span", { class: "muted tabular" });
  const list = el(
    "ul",
    { class: "file-list", tabindex: "0", "aria-label": "Files" },
    [...rows.values()].map((row) => row.node),
  );
  const timeLeft = new TimeLeft();
  const numIn = (state) => uploader.items.filter((item) => item.state === state).length;
  const update = () => {
    const { items, sentBytes, totalBytes } = uploader;
    const skipped = items.filter((item) => item.state === "skipped");
    timeLeft.note(sentBytes - skipped.reduce((sum, item) => sum + item.file.size, 0));
    const seconds = sentBytes < totalBytes ? timeLeft.secondsFor(totalBytes - sentBytes) : null;
    total.value = sentBytes;
    text.textContent = [
      `${numIn("done") + skipped.length} of ${items.length} files`,
      `${bytes(sentBytes)} of ${bytes(totalBytes)}`,
      skipped.length > 0 && `${skipped.length} were there already`,
      seconds !== null && `about ${duration(seconds)} left`,
    ]
      .filter(Boolean)
      .join(", ");
  };
  uploader.addEventListener("change", ({ detail: item }) => {
    rows.get(item).update();
    update();
  });
  update();
  return el(
    "div",
    { class: "files" },
    el("div", { class: "job-line" }, total, text),
    list,
  );
}

function rowOf(item) {
  const bar = el("progress", {
    max: Math.max(1, item.file.size),
    value: 0,
    "aria-label": `Progress of ${item.name}`,
  });
  const state = el("span", { class: "file-state tabular" });
  const node = el(
    "li",
    {},
    el("span", { class: "file-name", title: item.name }, item.name),
    el("span", { class: "muted tabular" }, bytes(item.file.size)),
    bar,
    state,
  );
  const update = () => {
    node.dataset.state = item.state;
    bar.value = item.sentBytes;
    state.textContent =
      item.state === "sending"
        ? `${Math.floor((100 * item.sentBytes) / Math.max(1, item.file.size))} %`
        : item.state === "failed"
          ? `${item.problem.detail} ${item.problem.remedy}`
          : TEXTS[item.state];
  };
  update();
  return { node, update };
}
