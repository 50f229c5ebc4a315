// The page of one scene: first whether it can be shown, then the walk.

import * as api from "../lib/api.js";
import { el, fill } from "../lib/dom.js";
import { header } from "../header.js";
import { missingCard, untilReady } from "./not-ready.js";
import { untilAnswered } from "../until-answered.js";
import { followRebuild } from "./rebuild.js";
import { Walk } from "./walk.js";
import { notify } from "../lib/notices.js";
import { isUnframed, UNFRAMED } from "../scenes/unframed.js";

/** Fills the page. */
export async function walkPage(root, { me, models, sceneId }) {
  const place = el("main", { id: "main", class: "centred" });
  fill(root, header({ me }), place);
  let scene;
  let inputs;
  try {
    scene = await untilReady(place, sceneId, models);
    inputs = await untilAnswered(place, () => api.inputs(sceneId));
  } catch (error) {
    if (error.name !== "Problem") throw error;
    fill(place, missingCard(error));
    return;
  }
  document.title = `${scene.name} · nvs`;
  fill(root);
  const model = models.find(({ id }) => id === scene.weights) ?? models[0];
  await new Walk({ root, me, scene, model, inputs }).start();
  if (isUnframed(scene, models)) notify(UNFRAMED);
  if (scene.state === "building") await followRebuild(scene);
}
