// Where a walk begins: the camera of the link, or else the first input camera.

import { surveyOf } from "../cameras/aggregate.js";
import { cameraOfFragment } from "./links.js";
import { View } from "./view.js";

const OBJECT_UP = [0, 0, 1];

/** {view, mode}; objects have z up, scenes what their cameras have in common. */
export function firstView({ scene, model, inputViews }) {
  const aspect = scene.width / scene.height;
  const survey = surveyOf(inputViews.map(({ pose }) => pose));
  if (model.poses === "object") survey.up = OBJECT_UP;
  const linked = cameraOfFragment(location.hash, aspect);
  const { pose, lens } = linked ?? inputViews[0];
  const view = new View({ pose, lens, aspect, survey });
  view.up = linked?.up ?? view.up;
  return { view, mode: linked?.mode ?? "orbit" };
}
