// The page of a scene that cannot be shown: building, failed, not built, or not there.

import * as api from "../lib/api.js";
import { button, el, fill } from "../lib/dom.js";
import { count } from "../lib/format.js";
import { guarded } from "../lib/notices.js";
import { root } from "../lib/root.js";
import { buildForm } from "../scenes/build-form.js";
import { buildProgress } from "../scenes/build-progress.js";
import { stateCard } from "../states.js";
import { untilAnswered } from "../until-answered.js";

const toScenes = () => el("a", { class: "button", href: root.href }, "All scenes");

/** The card for a scene that is not there. */
export const missingCard = (problem) =>
  stateCard({
    icon: "warning",
    state: problem.slug,
    title: problem.status === 404 ? "There is no such scene" : problem.title,
    text: problem.detail,
    remedy:
      problem.status === 404
        ? "It was deleted, or belongs to another key."
        : problem.remedy,
    actions: [toScenes()],
  });

/** Shows a scene until there is a file of it, maybe that of an earlier build; resolves to
 * the scene. */
export async function untilReady(place, id, models) {
  const look = () => untilAnswered(place, () => api.scene(id));
  let scene = await look();
  while (scene.scene_bytes === 0) {
    if (scene.state === "building" && scene.job_id) await watched(place, scene);
    else await chosen(place, scene, models);
    scene = await look();
  }
  return scene;
}

async function watched(place, scene) {
  const progress = buildProgress(scene.job_id);
  fill(
    place,
    stateCard({
      icon: "cube",
      state: "building",
      title: `${scene.name} is being built`,
      text: "It opens here as soon as it is ready.",
      content: progress.element,
      actions: [toScenes()],
    }),
  );
  await progress.finished;
}

/** A card with the reason and, where there are images, the form to build (again). */
function chosen(place, scene, models) {
  const hasFailed = scene.state === "failed";
  const canBuild = scene.num_images > 0 && scene.has_cameras;
  return new Promise((resolve) => {
    const onBuild = guarded(async (options) => {
      await api.build(scene.id, options);
      resolve();
    });
    fill(
      place,
      stateCard({
        icon: hasFailed ? "warning" : "cube",
        state: scene.state,
        title: hasFailed
          ? `The build of ${scene.name} failed`
          : `${scene.name} is not built yet`,
        text: hasFailed
          ? scene.error?.problem
          : `It has ${count(scene.num_images - scene.num_masks, "image")}${scene.has_cameras ? "" : " and no cameras"}.`,
        remedy: hasFailed
          ? scene.error?.remedy
          : canBuild
            ? ""
            : "Add files from the page of all scenes.",
        content:
          canBuild &&
          buildForm({
            sceneId: scene.id,
            models,
            numImages: scene.num_images - scene.num_masks,
            onBuild,
            label: hasFailed ? "Build again" : "Build",
          }),
        actions: [toScenes(), button("Look again", { onclick: () => resolve() })],
      }),
    );
  });
}
