"""The double's one page: self-contained, without recipients, polls the totals every second."""

from __future__ import annotations

PAGE_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
}

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>Vendors' sandbox</title>
<style>
:root { color-scheme: light dark; --line: #8884; --good: #16803c; --bad: #c2410c; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1rem; margin: 2rem 0 .5rem; }
p { opacity: .75; margin: .2rem 0 1.2rem; }
#tiles { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fit, minmax(min(13rem, 45%), 1fr)); }
#tiles div { border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; }
#tiles b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.bad b, td.bad { color: var(--bad); } .good b, td.good { color: var(--good); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); }
td { font-size: .9rem; overflow-wrap: anywhere; } .number { text-align: right; }
.whole { white-space: nowrap; }
</style>
</head>
<body>
<h1>Vendors' sandbox</h1>
<p id="state" role="status">waiting for the first answer</p>
<div id="tiles"></div>
<h2>Campaigns</h2>
<div class="scroll"><table><thead><tr><th>Campaign</th><th class="number">Accepted calls</th>
<th class="number">Customers</th></tr></thead><tbody id="campaigns"></tbody></table></div>
<h2>Answers</h2>
<div class="scroll"><table><thead><tr><th>Status</th><th class="number">Calls</th></tr></thead>
<tbody id="statuses"></tbody></table></div>
<h2>Last calls</h2>
<div class="scroll"><table><thead><tr><th>Time</th><th>Vendor</th><th>Path</th><th>Status</th>
<th>Code</th><th class="number">Customers</th><th>What happened</th></tr></thead>
<tbody id="calls"></tbody></table></div>
<script>
"use strict";
const at = (id) => document.getElementById(id);
const whole = (n) => Math.round(n).toLocaleString();
function row(cells) {
  const tr = document.createElement("tr");
  for (const [text, kind] of cells) {
    const td = tr.insertCell();
    td.textContent = text;
    td.className = kind || "";
  }
  return tr;
}
function tile([label, value, kind]) {
  const div = document.createElement("div"), number = document.createElement("b");
  number.textContent = value;
  div.append(number, label);
  div.className = kind || "";
  return div;
}
function happened(call) {
  const words = [call.accepted ? "accepted" : call.throttled ? "throttled" : "not accepted"];
  if (call.login) words[0] = "login";
  if (call.fault) words.push("fault: " + call.fault);
  return words.join(", ");
}
const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 23);
function show(sum, calls) {
  at("tiles").replaceChildren(...[
    ["calls", whole(sum.calls)],
    ["accepted calls", whole(sum.accepted_calls), "good"],
    ["customers accepted", whole(sum.accepted_recipients), "good"],
    ["customers per call", sum.customers_per_call.toFixed(1)],
    ["largest call", whole(sum.max_batch)],
    ["refused by the quota", whole(sum.throttled), sum.throttled ? "bad" : ""],
    ["customers met again", whole(sum.repeated)],
    ["logins", whole(sum.logins)],
  ].map(tile));
  at("campaigns").replaceChildren(...Object.entries(sum.by_campaign).map(([id, c]) =>
    row([[id], [whole(c.calls), "number"], [whole(c.recipients), "number"]])));
  at("statuses").replaceChildren(...Object.entries(sum.by_status).map(([status, n]) =>
    row([[status], [whole(n), "number"]])));
  at("calls").replaceChildren(...calls.map((c) => row([
    [clock(c.time), "whole"], [c.vendor], [c.path], [c.status ?? "no answer"], [c.code ?? ""],
    [whole(c.recipients), "number"], [happened(c), c.accepted || c.login ? "" : "bad"]])));
}
async function read(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(answer.status);
  return answer.json();
}
async function refresh() {
  try {
    show(await read("_sandbox/summary"), await read("_sandbox/log?limit=25"));
    at("state").textContent = "What the dispatcher's calls did here. Times are UTC. "
      + "Who bought twice is met again.";
  } catch (error) {
    at("state").textContent = "The sandbox does not answer.";
  }
  setTimeout(refresh, 1000);
}
refresh();
</script>
</body>
</html>
"""
