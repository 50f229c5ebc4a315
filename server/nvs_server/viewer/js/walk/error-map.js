// How far a render is from a photograph, pixel by pixel.

/** Colours from no error to the largest shown one: black, violet, orange, white. */
const STOPS = [
  [0, 0, 4],
  [87, 16, 110],
  [188, 55, 84],
  [249, 142, 9],
  [252, 255, 164],
];
/** The error, of 1, that has the last colour. */
export const LARGEST_SHOWN = 0.5;

/**
 * Compares two RGBA arrays of the same size (Uint8ClampedArray).
 *
 * Returns {pixels: RGBA of the map, meanError, psnrDecibels}; errors are means over the
 * three channels of |a − b| in [0, 1]; alpha is composited on white, as the network
 * sees photographs.
 */
export function errorMap(a, b) {
  const pixels = new Uint8ClampedArray(a.length);
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < a.length; i += 4) {
    let error = 0;
    for (let channel = 0; channel < 3; channel += 1) {
      const difference = (onWhite(a, i, channel) - onWhite(b, i, channel)) / 255;
      error += Math.abs(difference) / 3;
      squares += difference * difference;
    }
    sum += error;
    pixels.set(colourOf(Math.min(1, error / LARGEST_SHOWN)), i);
    pixels[i + 3] = 255;
  }
  const numPixels = a.length / 4;
  const meanSquare = squares / (3 * numPixels);
  return {
    pixels,
    meanError: sum / numPixels,
    psnrDecibels: -10 * Math.log10(meanSquare),
  };
}

const onWhite = (values, i, channel) =>
  255 + ((values[i + channel] - 255) * values[i + 3]) / 255;

/** The colour of a part from 0 to 1. */
export function colourOf(part) {
  const place = part * (STOPS.length - 1);
  const index = Math.min(STOPS.length - 2, Math.floor(place));
  const t = place - index;
  return STOPS[index].map((value, i) =>
    Math.round(value + (STOPS[index + 1][i] - value) * t),
  );
}
