// Axes of a world by their names.

import { decimal } from "../lib/format.js";
import { unit } from "./vectors.js";

export const AXES = {
  x: [1, 0, 0],
  "−x": [-1, 0, 0],
  y: [0, 1, 0],
  "−y": [0, -1, 0],
  z: [0, 0, 1],
  "−z": [0, 0, -1],
};

/** Whether two vectors have the same direction. */
export function isSameAxis(a, b) {
  const axis = unit(b);
  return unit(a).every((value, i) => Math.abs(value - axis[i]) < 1e-6);
}

/** Name of the axis that a vector is, or undefined. */
export const axisName = (axis) =>
  Object.keys(AXES).find((name) => isSameAxis(AXES[name], axis));

/** The name, or else three numbers. */
export const axisText = (axis) =>
  axisName(axis) ?? axis.map((value) => decimal(value, 2)).join(", ");
