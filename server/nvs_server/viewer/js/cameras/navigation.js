// Moving a camera: turning about a target, looking around, walking. Plain functions
// from pose to pose, in the user's world with any up axis.

import { add, cross, dot, length, scale, subtract, turned, unit } from "./vectors.js";
import { down, forward, lookAt, movedTo, poseOf, position, right } from "./rigid.js";

const STEEPEST = (89 * Math.PI) / 180;

/** Turns about the target: azimuth about the up axis, then elevation; stays level. */
export function orbited(pose, target, up, azimuth, elevation) {
  const offset = subtract(position(pose), target);
  const axis = unit(up);
  const height = Math.asin(
    Math.max(-1, Math.min(1, dot(offset, axis) / length(offset))),
  );
  const wanted = Math.max(-STEEPEST, Math.min(STEEPEST, height + elevation));
  const around = turned(offset, axis, azimuth);
  const sideways = horizontal(around, axis, pose);
  const eye = add(target, turned(around, unit(cross(sideways, axis)), wanted - height));
  return lookAt(eye, target, axis);
}

/** Looks around on the spot: yaw about the up axis, then pitch; stays level. */
export function looked(pose, up, yaw, pitch) {
  const axis = unit(up);
  const ahead = forward(pose);
  const height = Math.asin(Math.max(-1, Math.min(1, dot(ahead, axis))));
  const wanted = Math.max(-STEEPEST, Math.min(STEEPEST, height + pitch));
  const around = turned(ahead, axis, yaw);
  const sideways = horizontal(around, axis, pose);
  const direction = turned(around, unit(cross(sideways, axis)), wanted - height);
  return lookAt(position(pose), add(position(pose), direction), axis);
}

/** Moves by right, up and forward in the camera's own axes. */
export function walked(pose, [sideways, upwards, ahead]) {
  const step = add(
    add(scale(right(pose), sideways), scale(down(pose), -upwards)),
    scale(forward(pose), ahead),
  );
  return movedTo(pose, add(position(pose), step));
}

/** Moves towards (factor < 1) or away from the target. */
export function dollied(pose, target, factor) {
  return movedTo(pose, add(target, scale(subtract(position(pose), target), factor)));
}

/** The pose without roll; itself where it looks along the up axis. */
export function levelled(pose, up) {
  return lookAt(position(pose), add(position(pose), forward(pose)), up) ?? pose;
}

/** Angle about the viewing direction from the level pose to this one. */
export function rollOf(pose, up) {
  const level = levelled(pose, up);
  return Math.atan2(dot(right(pose), down(level)), dot(right(pose), right(level)));
}

/** The pose turned about its viewing direction. */
export function rolled(pose, radians) {
  const z = forward(pose);
  return poseOf(
    turned(right(pose), z, radians),
    turned(down(pose), z, radians),
    z,
    position(pose),
  );
}

/** The part of a direction across the axis; any such direction if there is none. */
function horizontal(direction, axis, pose) {
  const flat = subtract(direction, scale(axis, dot(direction, axis)));
  if (length(flat) > 1e-6 * length(direction)) return flat;
  const across = right(pose);
  return cross(axis, subtract(across, scale(axis, dot(across, axis))));
}
