// Following a job to its end.

import * as api from "./api.js";
import { backoffSeconds, pause } from "./backoff.js";
import { eventsOf } from "./sse.js";

const FINAL = new Set(["succeeded", "failed", "cancelled"]);

/** Whether a job will not change any more. */
export const isFinal = (job) => FINAL.has(job.state);

/**
 * Calls `onChange(job)` on every change and returns the job in its final state. A lost
 * connection is taken up again; `onLost(problem)` hears of it.
 */
export async function followJob(id, { onChange, onLost = () => {}, signal }) {
  let lastId = "";
  let failures = 0;
  for (;;) {
    try {
      const headers = { Accept: "text/event-stream" };
      if (lastId) headers["Last-Event-ID"] = lastId;
      for await (const event of eventsOf(await api.jobEvents(id, headers, signal))) {
        if (event.event !== "job") continue;
        failures = 0;
        lastId = event.id;
        const job = JSON.parse(event.data);
        onChange(job);
        if (isFinal(job)) return job;
      }
      const job = await api.job(id);
      onChange(job);
      if (isFinal(job)) return job;
    } catch (error) {
      if (signal?.aborted) throw error;
      const isLost = error instanceof TypeError || error.isTemporary;
      if (!isLost) throw error;
      onLost(error);
    }
    failures += 1;
    await pause(backoffSeconds(failures), signal);
  }
}

/** "prefill, 3 s left". */
export function jobText(job, duration) {
  if (job.state === "queued") return "waiting for its turn";
  if (job.state !== "running") return job.state;
  const left =
    job.eta_seconds === null ? "" : `, about ${duration(job.eta_seconds)} left`;
  return `${job.stage}${left}`;
}
