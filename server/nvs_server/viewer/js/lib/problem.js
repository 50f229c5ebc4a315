// An error of the service: a problem document (RFC 9457), or no answer at all.

/** `slug` is the last part of the problem's type; "unreachable" without an answer. */
export class Problem extends Error {
  constructor({
    status = 0,
    slug = "",
    title,
    detail = "",
    remedy = "",
    errors = [],
    retryAfterSeconds = null,
  }) {
    super(detail || title);
    this.name = "Problem";
    Object.assign(this, {
      status,
      slug,
      title,
      detail,
      remedy,
      errors,
      retryAfterSeconds,
    });
  }

  /** From the JSON of a problem document. */
  static fromDocument(document, retryAfterSeconds = null) {
    return new Problem({
      status: document.status,
      slug: String(document.type ?? "")
        .split("/")
        .pop(),
      title: document.title ?? "The server refused this",
      detail: document.detail,
      remedy: document.remedy,
      errors: document.errors ?? [],
      retryAfterSeconds,
    });
  }

  /** From an answer that is not a success. */
  static async fromResponse(response) {
    const retryAfter = Number(response.headers.get("Retry-After"));
    let document = {};
    try {
      document = await response.json();
    } catch {
      document = { title: response.statusText || `Status ${response.status}` };
    }
    return Problem.fromDocument(
      { ...document, status: response.status },
      retryAfter > 0 ? retryAfter : null,
    );
  }

  /** The server did not answer. */
  static unreachable() {
    return new Problem({
      slug: "unreachable",
      title: "The server does not answer",
      detail: "The server does not answer.",
      remedy: "Check that `nvs serve` is running and that you are connected to it.",
    });
  }

  /** Whether trying the same again later can help. */
  get isTemporary() {
    return [0, 429, 502, 503, 504].includes(this.status);
  }
}
