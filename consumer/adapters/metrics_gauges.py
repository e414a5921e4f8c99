"""Gauges whose series go when their owner does: a lane that moved away, a partition, a campaign."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import Gauge

Values = dict[tuple[str, ...], float]
"""A gauge's label values → its value."""


class OwnedGauges:
    """Which gauges have an owner, and which series each owner shows.

    An owner is fed by one thread; different owners may be fed from different ones.
    """

    def __init__(self) -> None:
        self._owner_label: dict[Gauge, str] = {}
        self._shown: dict[tuple[Gauge, str], frozenset[tuple[str, ...]]] = {}

    def add(self, gauge: Gauge, owner_label: str) -> None:
        """From now on `clear` takes away this gauge's series by that label."""
        self._owner_label[gauge] = owner_label

    def show(self, gauge: Gauge, owner: str, values: Mapping[tuple[str, ...], float]) -> None:
        """Sets the owner's series of the gauge to `values`, and removes what it showed before."""
        for labels, value in values.items():
            gauge.labels(*labels).set(value)
        for labels in self._shown.get((gauge, owner), frozenset()) - values.keys():
            gauge.remove(*labels)
        self._shown[gauge, owner] = frozenset(values)

    def clear(self, owner: str) -> None:
        """Removes all series of the owner."""
        for gauge, label in self._owner_label.items():
            self._shown.pop((gauge, owner), None)
            gauge.remove_by_labels({label: owner})
