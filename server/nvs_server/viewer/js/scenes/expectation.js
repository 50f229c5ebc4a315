// What to expect of a build, asked of the service while it is chosen.

import * as api from "../lib/api.js";
import { el, fill } from "../lib/dom.js";
import { icon } from "../lib/icons.js";

/** After the last change, before the service is asked. */
const WAIT_MS = 250;
const VERDICTS = {
  fine: ["good", "Fine: the weights know such a capture."],
  degraded: ["warning", "Degraded: it builds, but not as well as it could."],
  hopeless: ["error", "Hopeless: this framing cannot build it."],
};

/** {element, ask}: `ask(options)` shows what is to be expected of a build with them, as
 * the latest call has it; `onTold(expectation)` is told, null while it is not known. */
export function expectationLine(sceneId, onTold) {
  const element = el("div", {
    class: "expectation",
    role: "status",
    "aria-label": "What to expect",
  });
  let last = new AbortController();
  let timer;
  const ask = (options) => {
    last.abort();
    last = new AbortController();
    const { signal } = last;
    clearTimeout(timer);
    element.dataset.verdict = "asking";
    onTold(null);
    timer = setTimeout(async () => {
      const told = await asked(sceneId, options, signal);
      if (signal.aborted) return;
      element.dataset.verdict = told.verdict ?? "unknown";
      fill(element, told.verdict ? shown(told) : refused(told));
      onTold(told.verdict ? told : null);
    }, WAIT_MS);
  };
  return { element, ask };
}

/** The expectation, or the problem that is in its way. */
async function asked(sceneId, options, signal) {
  try {
    return await api.expectation(sceneId, options, signal);
  } catch (error) {
    if (error.name === "Problem") return error;
    if (error.name === "AbortError") return {};
    throw error;
  }
}

function shown({ verdict, reason, concerns }) {
  const [kind, text] = VERDICTS[verdict];
  return [
    el(
      "p",
      { class: `verdict verdict-${kind}` },
      icon(kind === "good" ? "check" : "warning"),
      el("strong", {}, text),
    ),
    verdict !== "hopeless" && el("p", { class: "muted" }, `Framing ${reason}.`),
    concerns.length > 0 &&
      el(
        "ul",
        {},
        concerns.map(({ problem, remedy }) =>
          el("li", {}, `${problem}. `, el("span", { class: "muted" }, remedy)),
        ),
      ),
  ];
}

const refused = ({ detail, title, remedy }) =>
  el(
    "p",
    { class: "muted" },
    `What to expect is not known: ${detail || title} ${remedy ?? ""}`,
  );
