// Server-sent events read from a fetch response: EventSource cannot send the key.

/** Yields {event, data, id} from the body of a text/event-stream response. */
export async function* eventsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let current = emptyEvent();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      const lines = text.split(/\r\n|\n|\r(?!$)/);
      text = lines.pop();
      for (const line of lines) {
        if (line === "") {
          if (current.data.length) yield { ...current, data: current.data.join("\n") };
          current = { ...emptyEvent(), id: current.id };
        } else {
          take(current, line);
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

const emptyEvent = () => ({ event: "message", data: [], id: "" });

function take(current, line) {
  const colon = line.indexOf(":");
  if (colon === 0) return;
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
  if (name === "data") current.data.push(value);
  else if (name === "event" || name === "id") current[name] = value;
}
