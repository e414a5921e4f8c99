"""What the chart asks of KEDA and Strimzi."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.observability.metrics.names import NAMESPACE, ROUTER
from tests.deploy.chart import render

ROUTERS = "surveys-survey-dispatcher-router"


def trigger(*options: str) -> dict[str, Any]:
    """The only trigger of KEDA's object."""
    (found,) = render("operators", *options).one("ScaledObject")["spec"]["triggers"]
    return dict(found)


def test_keda_scales_the_routers_in_the_place_of_an_autoscaler() -> None:
    """Within the same bounds, and as slowly; senders it leaves alone."""
    rendered = render("operators")
    assert rendered.of("HorizontalPodAutoscaler") == []
    spec = rendered.one("ScaledObject")["spec"]
    assert spec["scaleTargetRef"]["name"] == ROUTERS
    sets = {each["metadata"]["name"]: each["spec"] for each in rendered.of("StatefulSet")}
    assert [name for name, each in sets.items() if "replicas" not in each] == [ROUTERS]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 8)
    slowly = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    other = render("split").one("HorizontalPodAutoscaler")["spec"]["behavior"]
    assert slowly == other
    assert other["scaleDown"]["policies"][0]["value"] == 1


def test_keda_asks_for_the_lag_that_the_routers_report() -> None:
    """By a metric that the program has, each partition once, of this release's routers alone."""
    asked = trigger()["metadata"]
    lag = next(each for each in ROUTER if each.name == "consumer_lag_records")
    assert asked["query"] == (
        f"sum(max by ({', '.join(lag.labels)}) ({NAMESPACE}_{lag.name}"
        f'{{namespace="default",pod=~"{ROUTERS}-[0-9]+"}}))'
    )
    assert asked["threshold"] == "5000"
    assert asked["ignoreNullValues"] == "false"
    assert all(isinstance(value, str) for value in asked.values())
    assert asked["authModes"] == "bearer"
    assert trigger()["authenticationRef"]["kind"] == "ClusterTriggerAuthentication"
    other = trigger("--set=router.autoscaling.keda.query=sum(lag)")
    assert other["metadata"]["query"] == "sum(lag)"


@pytest.mark.parametrize(
    ("value_set", "options", "said"),
    [
        ("operators", ["router.autoscaling.enabled=false"], "set both"),
        ("operators", ["router.autoscaling.keda.serverAddress="], "address of a Prometheus"),
        ("operators", ["router.autoscaling.keda.serverAddress=prometheus:9090"], "serverAddress"),
        ("operators", ["mode=all"], "router.autoscaling needs mode: split"),
    ],
)
def test_values_of_operators_that_cannot_be_meant_are_refused(
    value_set: str, options: list[str], said: str
) -> None:
    assert said in render(value_set, *(f"--set={each}" for each in options)).refused
