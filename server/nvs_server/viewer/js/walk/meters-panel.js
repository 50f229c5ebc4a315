// The meters as numbers and a bar.

import { el } from "../lib/dom.js";
import { bytes, decimal, milliseconds } from "../lib/format.js";
import { PARTS } from "./meters.js";

const EVERY_MS = 250;
const TITLES = {
  network: "network",
  queue: "queue",
  load: "scene load",
  model: "model",
  encode: "encode",
  decode: "decode and draw",
};

/** A section that follows `meters`. */
export function metersPanel(meters) {
  const value = () => el("dd", { class: "tabular" }, "–");
  const rates = {
    shown: value(),
    server: value(),
    latency: value(),
    size: value(),
    tier: value(),
  };
  const bar = el("div", {
    class: "latency-bar",
    role: "img",
    "aria-label": "Parts of the latency",
  });
  const pieces = Object.fromEntries(
    PARTS.map((part) => [part, el("span", { class: `part part-${part}` })]),
  );
  bar.append(...Object.values(pieces));
  const parts = Object.fromEntries(PARTS.map((part) => [part, value()]));
  const row = (name, node, mark) => [
    el("dt", {}, mark && el("span", { class: `dot part-${mark}` }), name),
    node,
  ];
  const element = el(
    "section",
    { class: "side-section meters", "aria-label": "Meters" },
    el("h2", {}, "Meters"),
    el(
      "dl",
      { class: "meter-list" },
      row("Shown here", rates.shown),
      row("From the server", rates.server),
      row("Pose to picture", rates.latency),
      row("Picture", rates.size),
      row("Scene in", rates.tier),
    ),
    bar,
    el(
      "dl",
      { class: "meter-list" },
      PARTS.map((part) => row(TITLES[part], parts[part], part)),
    ),
  );
  const draw = () => {
    const { serverFps, shownFps, medianMs, p95Ms, last } = meters.summary;
    rates.shown.textContent = `${decimal(shownFps, 1)} frames/s`;
    rates.server.textContent = `${decimal(serverFps, 1)} frames/s`;
    if (!last) return;
    rates.latency.textContent =
      medianMs === undefined
        ? `${milliseconds(last.totalMs)} ms, the last one`
        : `${milliseconds(medianMs)} ms, p95 ${milliseconds(p95Ms)}`;
    rates.size.textContent = `${last.width} × ${last.height} ${last.format}, ${bytes(last.numBytes)}`;
    rates.tier.textContent =
      { device: "device memory", host: "main memory", disk: "read from disk" }[
        last.tier
      ] ?? last.tier;
    for (const part of PARTS) {
      parts[part].textContent = `${milliseconds(last.parts[part])} ms`;
      pieces[part].style.flexGrow = String(last.parts[part] / last.totalMs);
    }
  };
  setInterval(() => {
    if (element.isConnected && document.visibilityState === "visible") draw();
  }, EVERY_MS);
  return element;
}
