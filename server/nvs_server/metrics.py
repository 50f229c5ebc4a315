"""Prometheus metrics of one application, in a registry of its own."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.registry import Collector

from nvs.api.stream import Timings
from nvs.api.system import Tier

SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BUILD_BUCKETS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)


class Metrics:
    """What is counted as it happens.

    What can be read off at any time (queues, caches, workers) is added by a collector
    passed to `collect`.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "nvs_http_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "nvs_http_request_seconds",
            "From the request's head to the end of the response.",
            ("route",),
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self.problems = Counter(
            "nvs_problems", "Problem documents sent.", ("slug",), registry=self.registry
        )
        self.frames = Counter(
            "nvs_frames", "Images rendered.", ("via",), registry=self.registry
        )
        self.dropped_poses = Counter(
            "nvs_stream_dropped_poses",
            "Poses of streams that a newer one replaced.",
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "nvs_render_stage_seconds",
            "Stages of a rendered image.",
            ("stage",),
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self.cache_tiers = Counter(
            "nvs_render_cache_hits",
            "Rendered images by the tier that had the scene.",
            ("tier",),
            registry=self.registry,
        )
        self.jobs = Counter(
            "nvs_jobs_ended",
            "Jobs that ended, by kind and state.",
            ("kind", "state"),
            registry=self.registry,
        )
        self.job_seconds = Histogram(
            "nvs_job_seconds",
            "From a job's start to its success.",
            ("kind",),
            buckets=BUILD_BUCKETS,
            registry=self.registry,
        )
        self.tokens = Counter(
            "nvs_prefill_tokens",
            "Tokens of the input views of successful builds.",
            registry=self.registry,
        )
        self.prefill_seconds = Counter(
            "nvs_prefill_seconds",
            "Time of the prefills of successful builds; tokens / seconds is the rate.",
            registry=self.registry,
        )

    def rendered(self, timings: Timings, tier: Tier, *, via: str) -> None:
        """Count a rendered image.

        Args:
            timings: Where its time went.
            tier: Where its scene was.
            via: `render`, `batch` or `stream`.
        """
        self.frames.labels(via).inc()
        self.stage_seconds.labels("queue").observe(timings.queue_ms / 1000)
        self.stage_seconds.labels("load").observe(timings.load_ms / 1000)
        self.stage_seconds.labels("model").observe(timings.model_ms / 1000)
        self.stage_seconds.labels("encode").observe(timings.encode_ms / 1000)
        self.cache_tiers.labels(tier).inc()

    def job_ended(self, kind: str, state: str, seconds: float) -> None:
        """Count a job that reached a final state.

        Args:
            kind: `build`, `video` or `pose`.
            state: `succeeded`, `failed` or `cancelled`.
            seconds: Since it was started; counted for successes.
        """
        self.jobs.labels(kind, state).inc()
        if state == "succeeded":
            self.job_seconds.labels(kind).observe(seconds)

    def prefilled(self, tokens: int, seconds: float) -> None:
        """Count one successful prefill."""
        self.tokens.inc(tokens)
        self.prefill_seconds.inc(seconds)

    def collect(self, collector: Collector) -> None:
        """Add a collector that reads the state at each scrape."""
        self.registry.register(collector)

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
