"""Alerts, recording rules and dashboards, written as code.

python -m deploy.monitoring        writes the rules and dashboards again

thresholds ── every number that an alert goes by, once
queries    ── how gauges of one owner and counters of many processes are put together
recording  ── recording rules: what alerts and dashboards share, the two objectives
alerts     ── the alerts; each has a runbook and a panel of the same name
rules      ── the Prometheus rule file
panels     ── a panel, by our own few words, as Grafana wants it
manager, operations ── what the two dashboards show
events     ── reloads and starts, marked in every curve
dashboards ── the dashboards' JSON
"""
