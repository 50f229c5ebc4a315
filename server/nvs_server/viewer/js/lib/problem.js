// An error of the service: a problem document (RFC 9457), or no answer at all; or of a
// proxy before it.

const TOO_LARGE_FOR_A_PROXY = {
  type: "proxy-too-large",
  title: "A proxy before the server refuses files of this size",
  detail: "A proxy before the server refuses bodies of this size.",
  remedy:
    "Ask whoever runs it to raise its limit: client_max_body_size in nginx, which is " +
    "1 MiB by default, request_body max_size in Caddy.",
};

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

  /** From an answer that is not a success; the text of its body. */
  static fromAnswer({ status, statusText }, text, retryAfter) {
    let document = { title: statusText || `Status ${status}` };
    try {
      document = JSON.parse(text);
    } catch {
      // A proxy's own page: its status says what there is to say.
      if (status === 413) Object.assign(document, TOO_LARGE_FOR_A_PROXY);
    }
    return Problem.fromDocument(
      { ...document, status },
      Number(retryAfter) > 0 ? Number(retryAfter) : null,
    );
  }

  /** From the answer to a fetch that is not a success. */
  static async fromResponse(response) {
    const text = await response.text();
    return Problem.fromAnswer(response, text, response.headers.get("Retry-After"));
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
