// What came of finding the cameras of photographs, before a build.

import { el } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { icon } from "../lib/icons.js";

const SHOWN = 6;
const KINDS = {
  around: "around something",
  "forward-facing": "all views face the same way",
  through: "through a place",
};

/** The report of a posing: numbers, notes, and photographs that were left out. */
export function posingReport(posing) {
  const { num_posed: posed, num_photographs: all, left_out: leftOut, notes } = posing;
  const isWhole = leftOut.length === 0 && notes.length === 0;
  const more = leftOut.length - SHOWN;
  return el(
    "section",
    { class: "findings", "aria-label": "What came of finding the cameras" },
    el(
      "p",
      { class: `verdict verdict-${isWhole ? "good" : "warning"}` },
      icon(isWhole ? "check" : "warning"),
      el("strong", {}, `${posed} of ${count(all, "photograph")} posed`),
      el("span", { class: "muted" }, numbers(posing)),
    ),
    el(
      "ul",
      {},
      notes.map((note) => el("li", {}, `${note}.`)),
      leftOut
        .slice(0, SHOWN)
        .map(({ name, reason }) => el("li", {}, `${name} was left out: ${reason}`)),
      more > 0 && el("li", { class: "muted" }, `… and ${more} more`),
    ),
  );
}

const numbers = (posing) =>
  [
    KINDS[posing.kind],
    `${Math.round(100 * posing.coverage)} % of the directions`,
    `field of view ${Math.round(posing.hfov_degrees)}°`,
    `focal length ${Math.round(posing.focal_px)} pixels at a width of ${posing.width}`,
    `reprojection error ${posing.reprojection_error_px.toFixed(2)} pixels`,
  ].join(" · ");
