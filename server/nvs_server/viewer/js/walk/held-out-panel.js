// How close the scene comes to photographs that were kept out of its build.

import * as api from "../lib/api.js";
import { el } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { lazyImage } from "../lib/lazy-image.js";

const ROWS = {
  render: "this scene",
  nearest: "the nearest photograph",
  flat: "one flat colour",
};

/** A section with the numbers, what they mean, and the picture. */
export function heldOutPanel({ id, held_out: heldOut }) {
  const has = (metric) => heldOut.render[metric] !== null;
  const metrics = [
    ["psnr_db", "PSNR (dB)", 1],
    ["ssim", "SSIM", 3],
    ["lpips", "LPIPS", 3],
  ].filter(([metric]) => has(metric));
  const cell = (text) => el("td", { class: "tabular" }, text);
  return el(
    "section",
    { class: "side-section held-out", "aria-label": "How good it is" },
    el("h2", {}, "How good it is"),
    el("p", {}, `${heldOut.meaning}.`),
    el(
      "table",
      {},
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          el("td", {}),
          metrics.map(([, title]) => el("th", { scope: "col" }, title)),
        ),
      ),
      el(
        "tbody",
        {},
        Object.entries(ROWS).map(([row, title]) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, title),
            metrics.map(([metric, , digits]) =>
              cell(heldOut[row][metric].toFixed(digits)),
            ),
          ),
        ),
      ),
    ),
    el(
      "p",
      { class: "muted" },
      `Of ${count(heldOut.num_views, "view")} kept out of the build. `,
      heldOut.notes.map((note) => `${note} `),
    ),
    el(
      "details",
      { class: "more" },
      el("summary", {}, "Show them"),
      lazyImage((signal) => api.heldOut(id, signal), {
        alt: "Photographs that were kept out, renders, errors and nearest inputs",
        className: "held-out-sheet",
      }),
    ),
  );
}
