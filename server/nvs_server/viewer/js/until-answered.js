// Asking a server that may be gone for a while.

import { backoffSeconds, pause } from "./lib/backoff.js";
import { button, fill } from "./lib/dom.js";
import { stateCard } from "./states.js";

/** The answer of `ask()`; while it fails for the time being, `place` says so and it is
 * asked again. */
export async function untilAnswered(place, ask) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (error.name !== "Problem" || !error.isTemporary) throw error;
      const wait = new AbortController();
      fill(
        place,
        problemCard(
          error,
          button("Try now", { class: "primary", onclick: () => wait.abort() }),
        ),
      );
      const seconds = error.retryAfterSeconds ?? backoffSeconds(attempt);
      await pause(seconds, wait.signal).catch(() => {});
    }
  }
}

/** A problem that fills the page. */
export const problemCard = (problem, ...actions) =>
  stateCard({
    icon: "warning",
    state: problem.slug,
    title: problem.title,
    text: problem.detail,
    remedy: problem.remedy,
    actions,
  });
