// A scene that is built again while its earlier build is shown.

import { followJob } from "../lib/jobs.js";
import { guarded, notify } from "../lib/notices.js";

/** Says that a new build is under way, and when it is over. */
export const followRebuild = guarded(async (scene) => {
  notify("A new build of this scene is under way. This is the earlier one.");
  const { state, error } = await followJob(scene.job_id, { onChange: () => {} });
  if (state === "succeeded")
    notify("The new build is ready. Reload the page to see all of it.");
  else
    notify("The new build came to nothing; the earlier one stays.", {
      kind: "problem",
      remedy: error ? `${error.problem} ${error.remedy}` : "",
    });
});
