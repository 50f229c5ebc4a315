// A smooth path through poses: on each segment a cubic Bézier curve on SE(3), de
// Casteljau's construction with screw motions in place of straight lines. Through
// evenly timed keys it is the path that `nvs render --path walk` and the Python
// `nvs.cameras.through` make.

import { exp, interpolate, inverse, log, multiply } from "./rigid.js";

const flat = ([w, v]) => [...w, ...v];
const twist = (values) => [values.slice(0, 3), values.slice(3)];

/**
 * The curve through keys {seconds, pose, lens}, in order of time.
 *
 * Args: `closingSeconds` is the time from the last key back to the first, or 0 for an
 * open path. Returns a function from (segment, fraction) to {pose, lens}.
 */
export function splineThrough(keys, closingSeconds) {
  const closed = closingSeconds > 0;
  const next = (i) => (i + 1) % keys.length;
  const numSegments = closed ? keys.length : keys.length - 1;
  const seconds = Array.from({ length: numSegments }, (_, i) =>
    i === keys.length - 1 ? closingSeconds : keys[i + 1].seconds - keys[i].seconds,
  );
  const lenses = keys.map((key) => lensParameters(key.lens));
  const chords = seconds.map((_, i) =>
    flat(log(multiply(inverse(keys[i].pose), keys[next(i)].pose))),
  );
  const lensChords = seconds.map((_, i) =>
    lenses[next(i)].map((value, j) => value - lenses[i][j]),
  );
  const velocities = velocitiesOf(chords, seconds, closed);
  const lensVelocities = velocitiesOf(lensChords, seconds, closed);

  return (segment, fraction) => {
    const start = segment;
    const end = next(segment);
    const third = seconds[segment] / 3;
    const leave = velocities[start].map((value) => value * third);
    const arrive = velocities[end].map((value) => -value * third);
    const pose = deCasteljau(
      [
        keys[start].pose,
        multiply(keys[start].pose, exp(twist(leave))),
        multiply(keys[end].pose, exp(twist(arrive))),
        keys[end].pose,
      ],
      fraction,
      interpolate,
    );
    const lens = deCasteljau(
      [
        lenses[start],
        lenses[start].map((value, j) => value + lensVelocities[start][j] * third),
        lenses[end].map((value, j) => value - lensVelocities[end][j] * third),
        lenses[end],
      ],
      fraction,
      (a, b, t) => a.map((value, j) => value + (b[j] - value) * t),
    );
    return { pose, lens: lensOfParameters(lens) };
  };
}

/** Velocity at each key: of the two chords that meet there, together. */
function velocitiesOf(chords, seconds, closed) {
  const num = closed ? chords.length : chords.length + 1;
  return Array.from({ length: num }, (_, i) => {
    const after = i < chords.length ? i : null;
    const before = i > 0 ? i - 1 : closed ? chords.length - 1 : null;
    const both = [before, after].filter((index) => index !== null);
    const time = both.reduce((sum, index) => sum + seconds[index], 0);
    return chords[both[0]].map(
      (_, j) => both.reduce((sum, index) => sum + chords[index][j], 0) / time,
    );
  });
}

function deCasteljau(points, t, blend) {
  let level = points;
  while (level.length > 1) {
    level = level.slice(1).map((end, i) => blend(level[i], end, t));
  }
  return level[0];
}

/** Focal lengths change in log. */
const lensParameters = ({ fx, fy, cx, cy }) => [Math.log(fx), Math.log(fy), cx, cy];
const lensOfParameters = ([fx, fy, cx, cy]) => ({
  fx: Math.exp(fx),
  fy: Math.exp(fy),
  cx,
  cy,
});

/** The view a part t of the way from one to another. */
export function blendViews(from, to, t) {
  const a = lensParameters(from.lens);
  const b = lensParameters(to.lens);
  return {
    pose: interpolate(from.pose, to.pose, t),
    lens: lensOfParameters(a.map((value, j) => value + (b[j] - value) * t)),
  };
}
