from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from nvs.api.stream import Timings
from nvs_server.metrics import Metrics


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


TIMINGS = Timings(queue_ms=10.0, load_ms=20.0, model_ms=30.0, encode_ms=40.0)


def test_frames_are_counted_with_their_stages_and_tiers() -> None:
    metrics = Metrics()
    metrics.rendered(TIMINGS, "disk", via="batch")
    metrics.rendered(TIMINGS, "device", via="batch")
    metrics.rendered(TIMINGS, "device", via="stream")
    assert value(metrics, "nvs_frames_total", via="batch") == 2
    assert value(metrics, "nvs_frames_total", via="stream") == 1
    assert value(metrics, "nvs_render_cache_hits_total", tier="device") == 2
    for stage, seconds in (("queue", 0.03), ("model", 0.09), ("encode", 0.12)):
        total = value(metrics, "nvs_render_stage_seconds_sum", stage=stage)
        assert total is not None
        assert abs(total - seconds) < 1e-9


def test_jobs_are_counted_and_successes_timed() -> None:
    metrics = Metrics()
    metrics.job_ended("build", "succeeded", 12.0)
    metrics.job_ended("build", "failed", 3.0)
    metrics.prefilled(tokens=4096, seconds=8.0)
    assert value(metrics, "nvs_jobs_ended_total", kind="build", state="failed") == 1
    assert value(metrics, "nvs_job_seconds_sum", kind="build") == 12.0
    assert value(metrics, "nvs_prefill_tokens_total") == 4096
    assert value(metrics, "nvs_prefill_seconds_total") == 8.0


def test_two_applications_do_not_share_their_counts() -> None:
    one, other = Metrics(), Metrics()
    one.prefilled(1, 1.0)
    assert value(other, "nvs_prefill_tokens_total") == 0


def test_the_text_can_be_read_back() -> None:
    metrics = Metrics()
    metrics.rendered(TIMINGS, "host", via="render")
    names = {
        one.name for one in text_string_to_metric_families(metrics.text().decode())
    }
    assert {"nvs_frames", "process_resident_memory_bytes"} <= names
