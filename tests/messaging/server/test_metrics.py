from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from chime_messaging.server.metrics import Metrics


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.render().decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_requests_are_counted_by_operation_and_status() -> None:
    metrics = Metrics()
    for status in (200, 200, 409):
        metrics.observe("messaging", "CreateChannel", status, 0.01)
    read = samples(metrics)
    assert read["chime_requests_total", "CreateChannel", "messaging", "200"] == 2
    assert read["chime_requests_total", "CreateChannel", "messaging", "409"] == 1
    assert read["chime_request_seconds_count", "CreateChannel", "messaging"] == 3


def test_watched_numbers_are_read_when_asked_for() -> None:
    metrics, numbers = Metrics(), {"events": 0, "sockets": 0}
    metrics.watch_counter("chime_events", "Events.", lambda: numbers["events"])
    metrics.watch_gauge("chime_sockets", "Sockets.", lambda: numbers["sockets"])
    numbers.update(events=7, sockets=3)
    read = samples(metrics)
    assert (read[("chime_events_total",)], read[("chime_sockets",)]) == (7, 3)


def test_two_servers_do_not_share_numbers() -> None:
    one, other = Metrics(), Metrics()
    one.observe("messaging", "CreateChannel", 201, 0.01)
    assert not samples(other)
