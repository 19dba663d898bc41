"""Numbers about one running server, for Prometheus to fetch at ``/metrics``.

Counts that a part keeps anyway (the broker, the store) are read when Prometheus asks, so they cost nothing in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The registry of one server; two servers in a process do not share numbers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "chime_requests",
            "HTTP requests by operation and status.",
            ("service", "operation", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "chime_request_seconds",
            "Time from the last byte of a request to its answer.",
            ("service", "operation"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[tuple[str, str], Histogram] = {}
        self._readings = _Readings()
        self.registry.register(self._readings)

    def observe(self, service: str, operation: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        counter = self._counters.get((service, operation, status))
        if counter is None:
            counter = self._requests.labels(service, operation, str(status))
            self._counters[service, operation, status] = counter
        counter.inc()
        histogram = self._histograms.get((service, operation))
        if histogram is None:
            histogram = self._histograms[service, operation] = self._seconds.labels(service, operation)
        histogram.observe(seconds)

    def watch_counter(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Expose a number that only grows, read when asked for; `name` without ``_total``."""
        self._readings.add(CounterMetricFamily, name, text, read)

    def watch_gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Expose a number that goes up and down, read when asked for."""
        self._readings.add(GaugeMetricFamily, name, text, read)

    def render(self) -> bytes:
        """Write everything in the text format of Prometheus."""
        return generate_latest(self.registry)


class _Readings(Collector):
    def __init__(self) -> None:
        self._entries: list[tuple[type[CounterMetricFamily | GaugeMetricFamily], str, str, Callable[[], float]]] = []

    def add(
        self,
        family: type[CounterMetricFamily | GaugeMetricFamily],
        name: str,
        text: str,
        read: Callable[[], float],
    ) -> None:
        self._entries.append((family, name, text, read))

    def collect(self) -> Iterator[Metric]:
        for family, name, text, read in self._entries:
            yield family(name, text, value=read())

    def describe(self) -> Iterable[Metric]:
        return ()
