"""The quick start's commands, as they stand there, from `init` to a result."""

from __future__ import annotations

from pathlib import Path

from tests.support.dispatcher import until
from tests.support.kafka import StartBroker
from tests.support.newcomer import Newcomer, commands, environment


def test_the_commands_of_the_quick_start_lead_to_a_result(
    kafka_factory: StartBroker, tmp_path: Path
) -> None:
    newcomer = Newcomer(tmp_path, environment(kafka_factory().bootstrap))
    try:
        newcomer.follow()
        said = {command.split()[1]: text for command, text in newcomer.said.items()}
        assert "valid; config version" in said["validate"]
        assert said["test"] == "3 passed, 0 failed\n"
        assert "INVITE" in said["explain"]
        assert "all that `run` needs is there; 2 warnings" in said["doctor"]
        assert said["produce"] == "1 events produced to pos.transaction-completed\n"
        # The page's own line for the next shell is what the double printed.
        (told,) = [line.strip() for line in said["sandbox"].splitlines() if "export" in line]
        assert told.split()[2] == "FIRST_START=unused"
        assert [line.split("=")[0] for line in commands() if line.startswith("export")] == [
            told.split("=")[0]
        ]
        (summary,) = [line for line in commands() if line.endswith("results summary")]
        row = ["store-purchase", "1", "100.0%", "1", "100.0%"]
        until("the result", lambda: newcomer.again(summary).splitlines()[-1].split() == row)
    finally:
        codes = newcomer.leave()
    assert codes[0] == 0  # of `run`; a shell's Ctrl-C ends the double with 130
