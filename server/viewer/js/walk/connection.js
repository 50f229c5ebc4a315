// How the stream is doing: a chip in the top bar, a banner when something is wrong.

import { button, el, fill } from "../lib/dom.js";
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

/** Elements that follow a FrameStream. */
export class Connection {
  #timer = null;

  constructor(stream) {
    this.stream = stream;
    this.chip = el("span", { class: "chip", role: "status" });
    this.banner = el("div", { class: "banner", role: "status", hidden: true });
    this.#show({ state: "closed" });
    stream.addEventListener("status", ({ detail }) => this.#show(detail));
    stream.addEventListener("problem", ({ detail }) => this.#problem(detail));
  }

  #show({ state, seconds, attempt }) {
    const [kind, text] = CHIPS[state];
    this.chip.className = `chip chip-${kind}`;
    this.chip.dataset.state = state;
    this.chip.textContent = text;
    clearInterval(this.#timer);
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
    const when = el("span", { class: "tabular" });
    const count = () => {
      const left = Math.max(0, Math.ceil((end - performance.now()) / 1000));
      when.textContent = ` Next try in ${left} s (attempt ${attempt + 1}).`;
    };
    count();
    this.#timer = setInterval(count, 250);
    this.#fill(
      "warning",
      [what, when],
      [button("Try now", { class: "small", onclick: () => this.stream.retryNow() })],
    );
  }

  /** A request that was refused: shown until pictures come again. */
  #problem(problem) {
    this.#fill(
      problem.slug,
      [problem.detail, " ", problem.isTemporary ? "Asking again." : problem.remedy],
      [],
    );
  }

  /** A picture has come: whatever was wrong is over. */
  settle() {
    if (this.stream.state === "open") this.banner.hidden = true;
  }

  #fill(state, text, actions) {
    this.banner.dataset.state = state;
    fill(this.banner, icon("warning"), el("p", {}, text), actions);
    this.banner.hidden = false;
  }
}
