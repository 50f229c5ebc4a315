// How the stream is doing: a chip in the top bar, a banner when something is wrong.

import { button, el } from "../lib/dom.js";
import { icon } from "../lib/icons.js";

const CHIPS = {
  closed: ["idle", "Not connected"],
  connecting: ["wait", "Connecting"],
  open: ["good", "Live"],
  waiting: ["bad", "Connection lost"],
  busy: ["wait", "Server busy"],
  forbidden: ["bad", "Not allowed"],
  gone: ["bad", "Scene gone"],
  "not-built": ["bad", "Not built"],
};

/** Elements that follow a FrameStream. Screen readers hear each thing once: the seconds
 * that are counted, and one attempt after another, are only to be seen. */
export class Connection {
  #timer = null;

  constructor(stream) {
    this.stream = stream;
    this.chip = el("span", { class: "chip", role: "status" });
    this.text = el("span", { role: "status" });
    this.when = el("span", { class: "tabular", "aria-hidden": "true" });
    this.retry = button("Try now", {
      class: "small",
      onclick: () => stream.retryNow(),
    });
    this.banner = el(
      "div",
      { class: "banner", hidden: true },
      icon("warning"),
      el("p", {}, this.text, this.when),
      this.retry,
    );
    this.#show({ state: "closed" });
    stream.addEventListener("status", ({ detail }) => this.#show(detail));
    stream.addEventListener("problem", ({ detail }) => this.#problem(detail));
  }

  #show({ state, seconds, attempt }) {
    clearInterval(this.#timer);
    if (state === "connecting" && attempt > 0) {
      this.when.textContent = " Trying now.";
      return;
    }
    const [kind, text] = CHIPS[state];
    this.chip.className = `chip chip-${kind}`;
    this.chip.dataset.state = state;
    say(this.chip, text);
    if (state === "open") this.banner.hidden = true;
    else if (state === "waiting" || state === "busy")
      this.#countDown(state, seconds, attempt);
  }

  #countDown(state, seconds, attempt) {
    const end = performance.now() + seconds * 1000;
    const what =
      state === "busy"
        ? "The server has no place for another stream."
        : "The connection to the server is lost. The view stays, and goes on where it was.";
    this.#warn("warning", what, { canRetry: true });
    const count = () => {
      const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      this.when.textContent = ` Next try in ${left} s (attempt ${attempt + 1}).`;
    };
    count();
    this.#timer = setInterval(count, 250);
  }

  /** A request that was refused: shown until pictures come again. */
  #problem(problem) {
    const next = problem.isTemporary ? "Asking again." : problem.remedy;
    this.#warn(problem.slug, `${problem.detail} ${next}`);
  }

  /** A picture has come: whatever was wrong is over. */
  settle() {
    if (this.stream.state === "open") this.banner.hidden = true;
  }

  #warn(state, text, { canRetry = false } = {}) {
    this.banner.dataset.state = state;
    say(this.text, text);
    this.when.textContent = "";
    this.retry.hidden = !canRetry;
    this.banner.hidden = false;
  }
}

/** Sets a text that is read out when it changes. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
