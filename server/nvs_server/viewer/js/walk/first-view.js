// Where a walk begins: the camera of the link, or else the first input camera.

import { surveyOf } from "../cameras/aggregate.js";
import { cameraOfFragment } from "./links.js";
import { View } from "./view.js";

/** {view, mode}; up is what the scene says, else what its cameras have in common. */
export function firstView({ scene, inputViews }) {
  const aspect = scene.width / scene.height;
  const survey = surveyOf(inputViews.map(({ pose }) => pose));
  survey.up = scene.up ?? survey.up;
  const linked = cameraOfFragment(location.hash, aspect);
  const { pose, lens } = linked ?? inputViews[0];
  const view = new View({ pose, lens, aspect, survey });
  view.up = linked?.up ?? view.up;
  return { view, mode: linked?.mode ?? "orbit" };
}
