"""`python -m tests.cluster`: the chart on a real Kubernetes, step by step; ends with a table.

Each step ends when every event so far has one result and the vendor's journal agrees. The exit code
is 1 if a step fails; logs stay in `.cache/kubernetes/run` until the next run. Needs root.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from tests.cluster import programs
from tests.cluster.check import Check, Row, Scene, Step
from tests.cluster.images import archives
from tests.cluster.node import Cluster, running
from tests.cluster.release import Release
from tests.cluster.steps import STEPS
from tests.cluster.world import surroundings

RUN = programs.HOME / "run"


def main() -> int:
    """Read the command line, build what is missing, do the steps, print the table."""
    arguments = _parser().parse_args()
    if os.geteuid() != 0:
        sys.exit("a cluster needs root here: sudo make cluster-check")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    programs.install()
    images = archives()
    chosen = [step for step in STEPS if _is_wanted(step, arguments.only)]
    with ExitStack() as stack:
        stack.enter_context(_alone())
        cluster = stack.enter_context(running(RUN, images))
        world = stack.enter_context(surroundings(RUN / "world"))
        check = Check(Scene(cluster, world, Release(cluster, world)))
        try:
            failed = [step.name for step in chosen if not _is_done(check, step)]
        finally:
            sys.stdout.write(table(check.rows))
            if arguments.keep:
                _wait(cluster)
    sys.stderr.write(f"failed: {', '.join(failed)}\n" if failed else "all steps are done\n")
    return 1 if failed else 0


def _is_done(check: Check, step: Step) -> bool:
    """Do a step; one that fails is told, and the others may tell more."""
    try:
        row = check.run(step)
    except Exception:  # noqa: BLE001 - whatever a step meets is a failure of this step
        traceback.print_exc()
        return False
    sys.stderr.write(f"  {row.seconds:.0f} s, {row.results} results: {row.seen}\n")
    return True


@contextmanager
def _alone() -> Iterator[None]:
    """One run at a time: bridge and folder are the same for all. Ends the program otherwise."""
    with (programs.HOME / "run.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("another check is running on this machine; wait for its end")
        yield


def _wait(cluster: Cluster) -> None:
    access = f"{programs.BIN / 'kubectl'} --kubeconfig={cluster.settings.kubeconfig}"
    sys.stderr.write(f"the cluster stays until Ctrl-C: {access} get pods -A\n")
    with suppress(KeyboardInterrupt):
        signal.pause()


def _is_wanted(step: Step, only: Sequence[str]) -> bool:
    """The first step is done always: the others need a release."""
    return not only or step is STEPS[0] or any(word in step.name for word in only)


def table(rows: Sequence[Row]) -> str:
    """The figures as Markdown."""
    lines = ["| step | seconds | events | results | in doubt | calls | seen |"]
    lines.append("|---|---:|---:|---:|---:|---:|---|")
    lines += [
        f"| {row.step} | {row.seconds:.0f} | {row.events:,} | {row.results:,} | {row.unknown:,} "
        f"| {row.calls:,} | {row.seen} |"
        for row in rows
    ]
    return "\n".join([*lines, ""])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    names = ", ".join(step.name for step in STEPS)
    parser.add_argument("--only", nargs="+", default=(), metavar="STEP", help=f"of: {names}")
    parser.add_argument("--keep", action="store_true", help="the cluster stays until Ctrl-C")
    return parser


if __name__ == "__main__":
    sys.exit(main())
