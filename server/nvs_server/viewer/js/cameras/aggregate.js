// What the input cameras have in common: a point they look at, an up axis, a size.

import {
  dot,
  distance,
  length,
  mean,
  median,
  scale,
  solve,
  subtract,
  unit,
} from "./vectors.js";
import { difference, down, forward, position } from "./rigid.js";

/** The point with the least squared distance to all optical axes, if it lies in front
 * of most cameras; else null. It solves (Σ Pᵢ) p = Σ Pᵢcᵢ with Pᵢ = 1 − zᵢzᵢᵀ. */
export function lookAtPoint(poses) {
  const rows = [
    [0, 0, 0],
    [0, 0, 0],
    [0, 0, 0],
  ];
  const right = [0, 0, 0];
  for (const pose of poses) {
    const z = forward(pose);
    const c = position(pose);
    for (let i = 0; i < 3; i += 1) {
      for (let j = 0; j < 3; j += 1) {
        const across = ((i === j ? 1 : 0) - z[i] * z[j]) / poses.length;
        rows[i][j] += across;
        right[i] += across * c[j];
      }
    }
  }
  const point = solve(rows, right);
  if (point === null || point.some((value) => !Number.isFinite(value))) return null;
  const inFront = poses.filter(
    (pose) => dot(subtract(point, position(pose)), forward(pose)) > 0,
  );
  return inFront.length * 2 > poses.length ? point : null;
}

/** Mean of "up in the image": z where the cameras have none in common. */
export function commonUp(poses) {
  const up = scale(mean(poses.map(down)), -1);
  return length(up) < 0.2 ? [0, 0, 1] : unit(up);
}

/** Everything the controls need to know about where the inputs are. */
export function surveyOf(poses) {
  const centers = poses.map(position);
  const middle = mean(centers);
  const spread = median(centers.map((center) => distance(center, middle)));
  const meeting = lookAtPoint(poses);
  const reach = meeting
    ? median(centers.map((center) => distance(center, meeting)))
    : spread;
  const radius = reach > 1e-6 ? reach : 1;
  return {
    focus: meeting ?? middle,
    isAround: meeting !== null,
    radius,
    up: commonUp(poses),
  };
}

/** Index of the pose that sees most like another: near, and turned alike. */
export function nearestPose(poses, pose, radius) {
  const costs = poses.map((other) => {
    const { distance: apart, radians } = difference(pose, other);
    return apart / radius + radians;
  });
  return costs.indexOf(Math.min(...costs));
}
