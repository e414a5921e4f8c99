"""Forks the children: after the imports and the config, before any thread, loop or client exists.

What the parent has imported and read is the children's too, once in memory and once in CPU time.
When the parent dies the kernel kills the children, as `kill -9` of one process ends all its stages.
A thread of theirs could not: a call of librdkafka may hold the interpreter's lock for ever.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

import structlog

from consumer.config.models import Config
from consumer.observability.logs import logs
from consumer.runtime.options import Options, Role
from consumer.runtime.parent.child import run_child
from consumer.runtime.parent.decisions import ROUTER, SENDER
from consumer.runtime.parent.link import Link
from consumer.runtime.parent.parent import HANDLED, Child, Parent

log = structlog.get_logger(__name__)

ROLES = {ROUTER: Role.ROUTER, SENDER: Role.SENDER}

OF_PARENT = frozenset({"stopping"})
"""Events that only the parent logs."""

OF_LEADER = frozenset(
    {
        "command_read",
        "command_unreadable",
        "commands_topic_missing",
        "clock_stepped",
        "config_applied",
        "config_unchanged",
        "config_warning",
        "kafka_reachable_again",
        "kafka_unreachable",
        "topic_missing",
        "topic_recreated",
        "topics_watched",
    }
)
"""Events that each process meets, and that only the child logs that leads."""


_PR_SET_PDEATHSIG = 1

THREADS = Path("/proc/self/task")
THREADS_END_WITHIN = 1.0


def can_fork() -> bool:
    """Return whether the process has one thread, as a fork needs. Librdkafka was asked about the
    config; the threads of its clients end with them."""
    gc.collect()  # a client in a cycle would still have its threads
    deadline = time.monotonic() + THREADS_END_WITHIN
    while (threads := len(list(THREADS.iterdir()))) > 1:
        if time.monotonic() > deadline:
            log.warning("runs_in_one_process", why=f"{threads} threads are there before the fork")
            return False
        time.sleep(0.01)
    return True


def run_two(config: Config, options: Options) -> None:
    """Run router and sender in a process each, until both have ended. Each child ends by
    SystemExit; the parent raises ChildFailedError if one failed."""
    links = {name: socket.socketpair() for name in ROLES}
    parent = os.getpid()
    gc.freeze()  # a collection in a child would copy each page
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)  # until the parent can forward them
    children = []
    for name, (ours, theirs) in links.items():
        pid = os.fork()
        if pid == 0:
            _die_with(parent)
            for end in {each for pair in links.values() for each in pair} - {theirs}:
                end.close()
            _run_child(config, options, name, theirs)
        children.append(Child(name, pid, Link(ours)))
    for _, theirs in links.values():
        theirs.close()
    asyncio.run(Parent(config, options, children).run())


def _run_child(config: Config, options: Options, name: str, end: socket.socket) -> NoReturn:
    for ignored in (signal.SIGINT, signal.SIGHUP):  # a terminal sends them to all; the parent acts
        signal.signal(ignored, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
    options.role = ROLES[name]
    logs.leave_out(OF_PARENT if options.role.routes else OF_PARENT | OF_LEADER)
    sys.exit(asyncio.run(run_child(config, options, Link(end))))


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent dies (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before
        os.kill(os.getpid(), signal.SIGKILL)
