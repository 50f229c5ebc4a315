// What validation found in a capture, with what to do about it.

import { el } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { icon } from "../lib/icons.js";

const SHOWN_VIEWS = 6;
/** What the line on the build to come says too, of the framing that is chosen. */
const SAID_THERE = new Set(["Outside training", "Framing"]);

/** The verdict, the report on cameras, and every finding. */
export function findingsList(validation, cameras) {
  const findings = validation.findings.filter(({ title }) => !SAID_THERE.has(title));
  const worst = findings.some(({ severity }) => severity === "error")
    ? "error"
    : findings.some(({ severity }) => severity === "warning")
      ? "warning"
      : "good";
  return el(
    "section",
    { class: "findings", "aria-label": "What was found in the capture" },
    el(
      "p",
      { class: `verdict verdict-${worst}` },
      icon(worst === "good" ? "check" : "warning"),
      el("strong", {}, worst === "good" ? "ok" : worst),
      cameras && el("span", { class: "muted" }, camerasText(cameras)),
    ),
    findings.length > 0 && el("ul", {}, findings.map(finding)),
  );
}

function camerasText({ layout, num_frames: num, num_missing: missing }) {
  const lacking = missing ? `, ${count(missing, "frame")} without an image` : "";
  return `${count(num, "posed image")} (${layout})${lacking}`;
}

function finding({ severity, title, detail, remedy, views }) {
  const more = views.length - SHOWN_VIEWS;
  return el(
    "li",
    { class: `finding finding-${severity}` },
    el("span", { class: `badge badge-${severity}` }, severity),
    el(
      "div",
      {},
      el("p", {}, el("strong", {}, title), ": ", detail),
      remedy && el("p", { class: "muted" }, remedy),
      views.length > 0 &&
        el(
          "p",
          { class: "finding-views muted" },
          views.slice(0, SHOWN_VIEWS).join(", "),
          more > 0 && ` and ${more} more`,
        ),
    ),
  );
}
