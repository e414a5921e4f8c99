"""What the contact store's state shows to a scrape."""

from __future__ import annotations

import pytest

from consumer.contacts.recovery import Phase, Recovery
from consumer.observability.metrics.metrics import Metrics
from consumer.runtime.contacts.state import ContactState


class Shown:
    """A state of a sender, and what its program shows beside a router and their parent."""

    def __init__(self) -> None:
        self.sender = Metrics()
        self.state = ContactState(self.sender.contacts, lambda: 0.0)
        self.sender.contacts.start()

    def look(self, phase: Phase) -> float:
        """Take a look at the store."""
        self.state.looked(Recovery(phase, "generation"))
        return self.up

    @property
    def up(self) -> float:
        """The scraped `contact_store_up`."""
        program = Metrics()
        exports = [each.series.export() for each in (Metrics(), Metrics(), self.sender)]
        program.series.show_merged(exports)
        value = program.registry.get_sample_value("survey_dispatcher_contact_store_up")
        assert value is not None
        return value


@pytest.mark.parametrize(("phase", "up"), [("waiting", 0), ("reading", 0), ("ready", 1)])
def test_a_store_that_would_grant_is_up_before_any_question(phase: Phase, up: int) -> None:
    """Behind a closed feed gate no question reaches it; the program's other processes have none."""
    shown = Shown()
    assert shown.up == 0
    assert shown.look(phase) == up


def test_a_store_that_refused_an_answer_is_up_with_its_next_answer() -> None:
    """A store that cannot write may still be read, and so seem ready."""
    shown = Shown()
    assert shown.look("ready") == 1
    shown.state.unavailable("full")
    assert shown.look("ready") == 0
    shown.state.answered("reserve", 0.1)
    assert shown.up == 1
