"""The kinds of problem that the service answers with: slug, status, title, example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """What the problems of one slug share; the texts are those of an example."""

    status: int
    title: str
    detail: str
    remedy: str


KINDS: Mapping[str, Kind] = {
    "malformed": Kind(
        400,
        "The request cannot be read",
        "The body is not valid JSON: Expecting value at character 12.",
        "Send a JSON object as documented at /docs.",
    ),
    "host-refused": Kind(
        400,
        "Unknown host name",
        "This server does not answer to the host name 'evil.example'.",
        "Use its address, or add the name to NVS_ALLOWED_HOSTS.",
    ),
    "no-key": Kind(
        401,
        "API key needed",
        "The request has no API key.",
        "Send the header `Authorization: Bearer nvs_…`; `nvs keys create` makes a key.",
    ),
    "unknown-key": Kind(
        401,
        "API key not valid",
        "The API key is unknown, expired or revoked.",
        "Ask the server's operator for a new key (`nvs keys create`).",
    ),
    "ticket-refused": Kind(
        401,
        "Ticket not valid",
        "The ticket is unknown, used or older than 30 s.",
        "Get a new one from POST /v1/tickets and connect at once.",
    ),
    "scope-missing": Kind(
        403,
        "The key may not do this",
        "The key 'ci' has the scopes read; this needs write.",
        "Use a key with that scope.",
    ),
    "quota-exceeded": Kind(
        403,
        "Quota used up",
        "The owner has 1000 scenes of 1000.",
        "Delete what is no longer needed, or ask the operator for more.",
    ),
    "origin-refused": Kind(
        403,
        "Page of another site",
        "Pages of https://evil.example may not use this server.",
        "Add the origin to NVS_ALLOWED_ORIGINS if it is yours.",
    ),
    "not-found": Kind(
        404,
        "Not found",
        "There is no scene 'aaaaaaaaaaaaaaaaaaaaaaaaaa' of yours.",
        "GET /v1/scenes lists yours.",
    ),
    "method-not-allowed": Kind(
        405,
        "Method not allowed",
        "This address does not take POST.",
        "The header Allow names the methods it takes.",
    ),
    "not-acceptable": Kind(
        406,
        "No such representation",
        "Accept is 'text/html'.",
        "Accept application/zip or multipart/mixed.",
    ),
    "body-timeout": Kind(
        408,
        "The body came too slowly",
        "After 20 s only 3 bytes of the body had come.",
        "Send the body without pauses.",
    ),
    "not-built": Kind(
        409,
        "The scene is not built",
        "The scene has images but no scene file yet.",
        "POST /v1/scenes/{scene_id}/build, then wait for its job.",
    ),
    "building": Kind(
        409,
        "The scene is being built",
        "A build of the scene is running.",
        "Wait for the job or cancel it.",
    ),
    "inputs-missing": Kind(
        409,
        "The scene lacks images or cameras",
        "The scene has 12 images but no cameras.",
        "PUT /v1/scenes/{scene_id}/cameras first.",
    ),
    "idempotency-conflict": Kind(
        409,
        "Idempotency key used before",
        "The same Idempotency-Key came with other parameters.",
        "Use a new key for a new request.",
    ),
    "no-result": Kind(
        409,
        "The job has no result",
        "The job is running.",
        "Wait until its state is succeeded.",
    ),
    "length-required": Kind(
        411,
        "Length needed",
        "The request has neither Content-Length nor chunks.",
        "Send Content-Length.",
    ),
    "too-large": Kind(
        413,
        "The body is too large",
        "The body is larger than 1048576 bytes.",
        "Send less; the operator can raise NVS_MAX_JSON_BYTES.",
    ),
    "media-type": Kind(
        415,
        "Media type not supported",
        "Content-Type is 'text/plain'.",
        "Send application/json.",
    ),
    "range": Kind(
        416,
        "Range cannot be served",
        "The range starts behind the last of 1200 bytes.",
        "Ask for a range inside the file.",
    ),
    "invalid": Kind(
        422,
        "A value is not valid",
        "camera.world_from_camera: the rotation is not orthonormal.",
        "Put the named fields right.",
    ),
    "digest-mismatch": Kind(
        422,
        "The body was altered on the way",
        "The body's SHA-256 is not the one of Content-Digest.",
        "Send the file again.",
    ),
    "rate-limited": Kind(
        429,
        "Too many requests",
        "The key 'ci' may make 600 requests a minute.",
        "Wait for the seconds of Retry-After.",
    ),
    "queue-full": Kind(
        429,
        "The queue is full",
        "64 renders of 64 are waiting or running.",
        "Wait for the seconds of Retry-After.",
    ),
    "client-gone": Kind(
        499,
        "The client went away",
        "The client closed the connection before the answer.",
        "Nobody reads this: it stands in the log only.",
    ),
    "internal": Kind(
        500,
        "Internal error",
        "Something failed inside the server.",
        "Report the request_id to the operator; the log has the details.",
    ),
    "draining": Kind(
        503,
        "Shutting down",
        "The server is shutting down.",
        "Try again after the seconds of Retry-After.",
    ),
    "worker-lost": Kind(
        503,
        "A worker is restarting",
        "The process that computes stopped while it had this request.",
        "Try again after the seconds of Retry-After.",
    ),
    "blob-lost": Kind(
        500,
        "A stored file is damaged",
        "The stored file is missing or damaged.",
        "Upload it again, or build the scene again.",
    ),
    "scene-damaged": Kind(
        503,
        "The scene file is damaged",
        "The stored scene file is missing or altered; it is being built again.",
        "Try again after the seconds of Retry-After.",
    ),
    "storage-unavailable": Kind(
        503,
        "Storage does not answer",
        "The database does not answer.",
        "Try again after the seconds of Retry-After.",
    ),
    "disk-full": Kind(
        507,
        "No space left",
        "The server's disk is full.",
        "Delete scenes, or ask the operator for space.",
    ),
}
