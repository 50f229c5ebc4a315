// Vectors of three numbers, and 3 × 3 matrices as three rows.

export const add = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const subtract = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const scale = (a, factor) => [a[0] * factor, a[1] * factor, a[2] * factor];
export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const length = (a) => Math.hypot(a[0], a[1], a[2]);
export const distance = (a, b) => length(subtract(a, b));
export const cross = (a, b) => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
export const unit = (a) => scale(a, 1 / length(a));
export const mean = (vectors) =>
  scale(vectors.reduce(add, [0, 0, 0]), 1 / vectors.length);

/** The middle one of some numbers. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Matrix times vector. */
export const apply = (rows, v) => rows.map((row) => dot(row, v));

/** v turned by an angle about a unit axis (Rodrigues' formula). */
export function turned(v, axis, radians) {
  const cos = Math.cos(radians);
  return add(
    add(scale(v, cos), scale(cross(axis, v), Math.sin(radians))),
    scale(axis, dot(axis, v) * (1 - cos)),
  );
}

/** Solves a 3 × 3 system by Cramer's rule; null if it has no single solution. */
export function solve(rows, right) {
  const columns = [0, 1, 2].map((j) => rows.map((row) => row[j]));
  const determinant = (a, b, c) => dot(a, cross(b, c));
  const whole = determinant(...columns);
  if (Math.abs(whole) < 1e-9) return null;
  return [0, 1, 2].map((j) => {
    const replaced = [...columns];
    replaced[j] = right;
    return determinant(...replaced) / whole;
  });
}
