"""What the engineer on call has: a folder of commands, the pager's alerts, logs, runbooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.deploy.monitored import DEPLOY
from tests.rehearsal.room import Room, tool_command
from tests.support.dispatcher import replace_file

TEAMS = ("vendor", "experience", "producers", "platform", "security", "crm")

_README = """\
You are on call for survey-dispatcher. All you have is here.

./alerts                    what the pager says now
runbooks/, docs/            as in the repository
./survey-dispatcher …       the program's commands, as in the pod surveys-0 (POD=1: in surveys-1)
./pods                      the running pods;  ./delete-pod NAME  ends one, it is started again
logs/                       the pods' logs
config/                     the routing config and its secrets, which the pods watch; edit them here
./kafka-topics.sh … (kafka-transactions.sh, kafka-consumer-groups.sh, kafka-configs.sh)
                            Kafka's tools; they know the address
./ask TEAM                  asks one of: {teams}
vendor-console.txt          the vendor's web page, if it shows anything
./done                      when you think that it is mended: waits, and judges
"""

_IN_POD = """\
export SURVEY_DISPATCHER_CONFIG={config}
export ADMIN_PORT=$([ "$POD" = 1 ] && echo {ports[1]} || echo {ports[0]})
[ "$1" = status ] && {{ shift; set -- status --url "http://127.0.0.1:$ADMIN_PORT" "$@"; }}
exec {program} "$@"
"""

_DELETE = """\
pid=$(sed -n "s/^$1  pid \\([0-9]*\\) .*/\\1/p" {home}/pods.txt)
[ -n "$pid" ] || {{ echo "no such pod: $1" >&2; exit 1; }}
kill -TERM "$pid"
for _ in $(seq 20); do kill -0 "$pid" 2>/dev/null || exit 0; sleep 0.5; done
kill -KILL $pid $(cat /proc/$pid/task/$pid/children 2>/dev/null)
"""

_ASK = """\
rm -f {home}/answers/$1; touch {home}/asked/$1
until [ -e {home}/answers/$1 ]; do sleep 0.2; done; cat {home}/answers/$1
"""

_DONE = """\
rm -f {home}/verdict.txt; touch {home}/asked/done
until [ -e {home}/verdict.txt ]; do sleep 0.5; done; cat {home}/verdict.txt
"""


def furnish(room: Room) -> None:
    """Write all of it into the room's folder."""
    home = room.home
    for folder in ("asked", "answers"):
        (home / folder).mkdir()
    for name, target in (("runbooks", DEPLOY / "runbooks"), ("docs", DEPLOY.parent / "docs")):
        (home / name).symlink_to(target)
    (home / "README.txt").write_text(_README.format(teams=", ".join(TEAMS)))
    ports = list(room.ports.values())
    program = tool_command("survey-dispatcher")
    _script(home / "alerts", f"cat {home}/pager.txt\n")
    _script(home / "pods", f"cat {home}/pods.txt\n")
    in_pod = _IN_POD.format(config=room.config, ports=ports, program=program)
    _script(home / "survey-dispatcher", in_pod)
    _script(home / "delete-pod", _DELETE.format(home=home))
    _script(home / "ask", _ASK.format(home=home))
    _script(home / "done", _DONE.format(home=home))
    for tool in ("topics", "transactions", "consumer-groups", "configs"):
        line = tool_command(f"kafka-{tool}.sh")
        address = f"--bootstrap-server {room.kafka.bootstrap}"
        _script(home / f"kafka-{tool}.sh", f'exec {line} {address} "$@"\n')


def page(home: Path, firing: list[dict[str, Any]]) -> None:
    """Show the alerts as a pager does."""
    parts = [_shown(alert) for alert in firing]
    replace_file(home / "pager.txt", "\n".join(parts) or "no alert\n")


def answer(home: Path, teams: Mapping[str, Callable[[], str]]) -> bool:
    """Let teams that were asked act and answer; True when the engineer says that all is mended."""
    asked = {path.name for path in (home / "asked").iterdir()}
    for team in asked - {"done"}:
        said = teams[team]() if team in teams else "Nothing unusual here."
        (home / "answers" / team).write_text(said + "\n")
        (home / "asked" / team).unlink()
    return "done" in asked


def _shown(alert: dict[str, Any]) -> str:
    labels = {name: value for name, value in alert["labels"].items() if name != "alertname"}
    notes = "\n".join(f"  {name}: {text}" for name, text in sorted(alert["annotations"].items()))
    return f"{alert['labels']['alertname']}  since {alert['activeAt'][11:19]}  {labels}\n{notes}\n"


def _script(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}")
    path.chmod(0o755)  # a command of a folder that is thrown away
