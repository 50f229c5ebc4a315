// Decodes pictures and draws them; a picture never overtakes a newer one.

/** Hands pictures to a canvas without copying them; `numStale` counts those that came
 * too late to be shown. */
export class Painter {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("bitmaprenderer");
    this.sequence = -1;
    this.numStale = 0;
  }

  /** Shows a frame of the stream; returns {isShown, decodeMs, shownAt}. */
  async show({ sequence, image, receivedAt }) {
    const bitmap = await createImageBitmap(image);
    const isShown = sequence > this.sequence;
    if (isShown) {
      this.sequence = sequence;
      this.draw(bitmap);
    } else {
      this.numStale += 1;
    }
    bitmap.close();
    const shownAt = performance.now();
    return { isShown, decodeMs: shownAt - receivedAt, shownAt };
  }

  draw(bitmap) {
    const { canvas } = this;
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      canvas.width = bitmap.width;
      canvas.height = bitmap.height;
    }
    this.context.transferFromImageBitmap(bitmap);
  }
}
