// Rigid motions as 4 × 4 matrices (four rows), with exponentials and logarithms.
//
// Notation (Lynch and Park, Modern Robotics, 2017, chapter 3):
//   w      rotation vector: unit axis times angle in radians
//   twist  [w, v]
//   T      exp(twist) = [R, G(w) v; 0, 1]                      Eq. 3.88
// A pose is world_from_camera with OpenCV axes; its columns are the camera's x (right),
// y (down), z (forward) and position in the world.

import { add, cross, dot, length, scale, subtract, unit } from "./vectors.js";

const column = (T, j) => [T[0][j], T[1][j], T[2][j]];
export const right = (pose) => column(pose, 0);
export const down = (pose) => column(pose, 1);
export const forward = (pose) => column(pose, 2);
export const position = (pose) => column(pose, 3);

/** The pose with these axes and position. */
export const poseOf = (x, y, z, p) => [
  ...[0, 1, 2].map((i) => [x[i], y[i], z[i], p[i]]),
  [0, 0, 0, 1],
];

/** The same orientation somewhere else. */
export const movedTo = (pose, p) => poseOf(right(pose), down(pose), forward(pose), p);

/** A · B. */
export function multiply(A, B) {
  return A.map((row) =>
    [0, 1, 2, 3].map((j) => row.reduce((sum, value, k) => sum + value * B[k][j], 0)),
  );
}

/** [Rᵀ, −Rᵀp; 0, 1]. */
export function inverse(T) {
  const p = position(T);
  const rows = [0, 1, 2].map((j) => {
    const axis = column(T, j);
    return [...axis, -dot(axis, p)];
  });
  return [...rows, [0, 0, 0, 1]];
}

/** Looks from `eye` at `target`; null where that direction is along `up`. */
export function lookAt(eye, target, up) {
  const z = subtract(target, eye);
  const across = cross(z, up);
  if (length(across) < 1e-6 * length(z) * length(up)) return null;
  const x = unit(across);
  const forwards = unit(z);
  return poseOf(x, cross(forwards, x), forwards, eye);
}

/** [x, y, z, w] of the rotation of a pose, with w ≥ 0. */
export function quaternionOf(T) {
  const [[a, b, c], [d, e, f], [g, h, i]] = T;
  const candidates = [
    [1 + a - e - i, b + d, c + g, h - f],
    [b + d, 1 - a + e - i, f + h, c - g],
    [c + g, f + h, 1 - a - e + i, d - b],
    [h - f, c - g, d - b, 1 + a + e + i],
  ];
  const largest = [
    candidates[0][0],
    candidates[1][1],
    candidates[2][2],
    candidates[3][3],
  ];
  const best = candidates[largest.indexOf(Math.max(...largest))];
  const size = Math.hypot(...best) * (best[3] < 0 ? -1 : 1);
  return best.map((value) => value / size);
}

/** The pose with the rotation of a quaternion [x, y, z, w] of any length. */
export function poseOfQuaternion(quaternion, p) {
  const size = Math.hypot(...quaternion);
  const [x, y, z, w] = quaternion.map((value) => value / size);
  return [
    [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w), p[0]],
    [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w), p[1]],
    [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y), p[2]],
    [0, 0, 0, 1],
  ];
}

/** Rotation vector of at most π radians. */
export function rotationLog(T) {
  const [x, y, z, w] = quaternionOf(T);
  const size = Math.hypot(x, y, z);
  const factor = size < 1e-9 ? 2 / w : (2 * Math.atan2(size, w)) / size;
  return [x * factor, y * factor, z * factor];
}

/** The rigid motion of a twist. */
export function exp([w, v]) {
  const angle = length(w);
  const small = angle < 1e-4;
  const quaternion =
    angle === 0
      ? [0, 0, 0, 1]
      : [...scale(w, Math.sin(angle / 2) / angle), Math.cos(angle / 2)];
  const a = small ? 0.5 - angle ** 2 / 24 : (1 - Math.cos(angle)) / angle ** 2;
  const b = small ? 1 / 6 - angle ** 2 / 120 : (angle - Math.sin(angle)) / angle ** 3;
  const wv = cross(w, v);
  const shift = add(add(v, scale(wv, a)), scale(cross(w, wv), b));
  return poseOfQuaternion(quaternion, shift);
}

/** The twist of a rigid motion: exp(log T) = T. */
export function log(T) {
  const w = rotationLog(T);
  const p = position(T);
  const angle = length(w);
  const half = angle / 2;
  const c =
    angle < 1e-3 ? 1 / 12 + angle ** 2 / 720 : (1 - half / Math.tan(half)) / angle ** 2;
  const wp = cross(w, p);
  return [w, add(subtract(p, scale(wp, 0.5)), scale(cross(w, wp), c))];
}

/** The screw motion from A (t = 0) to B (t = 1). */
export function interpolate(A, B, t) {
  const [w, v] = log(multiply(inverse(A), B));
  return multiply(A, exp([scale(w, t), scale(v, t)]));
}

/** How far apart two poses are: {distance, radians}. */
export function difference(A, B) {
  return {
    distance: length(subtract(position(A), position(B))),
    radians: length(rotationLog(multiply(inverse(A), B))),
  };
}
