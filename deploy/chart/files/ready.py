"""`helm test`: asks each pod behind the release's Service whether it is ready, for two minutes."""

from __future__ import annotations

import socket
import sys
import time

import httpx


def addresses(host: str) -> list[str]:
    """Return the pods behind a headless Service, as hosts of a URL; none while it has no name."""
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(host, None)}
    except OSError:
        return []
    return sorted(f"[{each}]" if ":" in each else each for each in found)


def problem(url: str) -> str:
    """Return why a pod is not ready, or nothing. As for the kubelet, any certificate will do."""
    try:
        answer = httpx.get(url, verify=False, trust_env=False, timeout=5)  # noqa: S501 - the name is an address
    except httpx.HTTPError as error:
        return str(error)
    return "" if answer.is_success else answer.text[:500]


def main(scheme: str, host: str, port: str, tries: str = "60") -> int:
    """Return 0 as soon as all pods are ready, 1 after so many tries, two seconds apart."""
    told: dict[str, str] = {}
    for again in reversed(range(int(tries))):
        told = {each: problem(f"{scheme}://{each}:{port}/readyz") for each in addresses(host)}
        if told and not any(told.values()):
            sys.stdout.write(f"{len(told)} of {len(told)} pods behind {host} are ready\n")
            return 0
        time.sleep(2 if again else 0)
    why = [f"{each}: {text or 'ready'}" for each, text in told.items()]
    sys.stderr.write("\n".join(why or [f"{host}: no pod has this name"]) + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
