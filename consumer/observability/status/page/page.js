// Asks /status.json once a second and shows it. Nothing is sent, nothing is stored.

import { filter, names, offer, watch } from "./filter.js";
import { LaneCard } from "./lane.js";
import { part, rows, show } from "./parts.js";
import { both, clock, date, lasting, local, whole, withLocal, zone } from "./words.js";

const EVERY = 1000;
const PATIENCE = 5000;
const STATUSES = ["accepted", "rejected", "suppressed", "expired", "failed", "unknown"];
const TROUBLE = { rejected: "warn", failed: "bad", unknown: "bad" };

const at = (id) => document.getElementById(id);
const cards = new Map();
let answered = 0;
let last = null;

const sum = (counts) => Object.values(counts).reduce((all, n) => all + n, 0);

function showProcess(now) {
  const process = now.process;
  at("instance").textContent = process.instance;
  const reload = process.reload ? `, last reload ${process.reload} ${both(process.reload_at)}` : "";
  at("process").textContent = `version ${process.version} · up ${lasting(now.at - process.started_at)}`
    + ` · config ${process.config_version}${reload}`;
  at("process").title = `started ${date(process.started_at)}, ${local(process.started_at)} local`;
}

/** What stands between back-ticks is a command or a name. */
const commands = (text) => text.split("`").map((each, i) => (i % 2 ? part("code", "", each) : each));

function showNotes(now) {
  show(at("notes"), now.notes, (list) => list.map((note) =>
    part("li", note.level, part("b", "", note.where), " ", ...commands(withLocal(note.what, now.at)))));
}

function showFigures(now) {
  const waiting = now.lanes.reduce((all, lane) => all + lane.waiting, 0);
  const delayed = sum(now.delayed);
  const tiles = [["waiting", waiting, ""], ...STATUSES.map((status) =>
    [status, sum(now.results[status] ?? {}), TROUBLE[status] ?? ""])];
  tiles.splice(1, 0, ["of these delayed", delayed, ""]);
  tiles.push(["dead letters", sum(now.dead_letters), "warn"],
    ["in doubt", sum(now.in_doubt), "bad"], ["not yet routed", sum(now.router_lag), ""]);
  show(at("figures"), tiles, (list) => list.map(([title, number, kind]) =>
    part("div", number ? kind : "none", part("b", "", whole(number)), part("span", "", title))));
}

function showLanes(lanes) {
  const there = new Set(lanes.map((lane) => lane.name));
  for (const [lane, card] of cards) {
    if (!there.has(lane)) {
      card.node.remove();
      cards.delete(lane);
    }
  }
  for (const lane of lanes) {
    if (!cards.has(lane.name)) {
      cards.set(lane.name, new LaneCard(lane.name));
      at("lanes").append(cards.get(lane.name).node);
    }
    cards.get(lane.name).update(lane, filter());
  }
  at("no-lanes").hidden = lanes.length > 0;
  at("no-match").hidden = !lanes.length || [...cards.values()].some((card) => !card.node.hidden);
}

const CALL_HEADS = [["UTC"], [`local, ${zone}`], ["lane"], ["answer"], ["campaign"], ["customers", "number"],
  ["seconds", "number"], ["batch", "batch"]];

function callRows(calls) {
  if (!calls.length) return [part("caption", "", "none yet")];
  return rows(CALL_HEADS, calls.map((call) => {
    const kind = { accepted: "good", retry: "warn" }[call.verdict] ?? "bad";
    const words = [call.why || call.answer, call.code, call.verdict.replace("_", " ")].filter(Boolean);
    const answer = part("span", "", part("b", kind, words.join(" · ")));
    if (call.why && call.meaning) answer.append(part("small", "", call.meaning));
    return [part("span", "", clock(call.at)), part("span", "", local(call.at)), call.lane, answer,
      call.campaign, whole(call.customers), call.seconds.toFixed(2), part("span", "", call.batch)];
  }));
}

const chosen = (calls) => calls.filter((call) => {
  const asked = filter();
  return (!asked.lane || asked.lane === call.lane) && names(asked.campaign, call.campaign);
});

function showCounts(id, heads, lines, none) {
  show(at(id), lines, (list) => (list.length ? rows(heads, list) : [part("caption", "", none)]));
}

function showContacts(now) {
  const store = now.contacts;
  const held = Object.entries(now.held_back).flatMap(([rule, reasons]) =>
    Object.entries(reasons).map(([reason, n]) => [rule || "–", reason, whole(n)]));
  at("held-back-section").hidden = !store && !held.length;
  showCounts("held-back", [["rule"], ["reason"], ["number", "number"]], held, "none yet");
  at("contacts-section").hidden = !store;
  const facts = store ? [["state", store.phase || "not asked yet"], ["answers", store.why || "yes"],
    ["invitations waiting", whole(store.waiting)]] : [];
  showCounts("contacts", [["contact store"], ["now"]], facts, "none");
}

function showRest(now) {
  const results = Object.entries(now.results).flatMap(([status, reasons]) =>
    Object.entries(reasons).map(([reason, n]) => [status, reason, whole(n)]));
  showCounts("reasons", [["status"], ["reason"], ["number", "number"]], results, "none yet");
  const pairs = (counts) => Object.entries(counts).map(([key, n]) => [key, whole(n)]);
  showCounts("dead-letters", [["reason"], ["number", "number"]], pairs(now.dead_letters), "none");
  showCounts("lag", [["topic"], ["records", "number"]], pairs(now.router_lag), "no input read here");
  const steps = Object.entries(now.delayed).filter(([, n]) => n).map(([step, n]) => [step, whole(n)]);
  showCounts("delayed", [["step"], ["invitations", "number"]], steps, "empty");
  const stages = now.stages.map((stage) =>
    [stage.name, stage.stopped ? "stopped" : `${lasting(stage.silent)} ago`]);
  showCounts("stages", [["loop"], ["went round", "number"]], stages, "none runs yet");
}

function showAll(now) {
  showProcess(now);
  showNotes(now);
  showFigures(now);
  offer(now.lanes);
  showLanes(now.lanes);
  show(at("calls"), chosen(now.calls), callRows);
  at("doubtful-section").hidden = !now.doubtful.length;
  show(at("doubtful"), chosen(now.doubtful), callRows);
  showContacts(now);
  showRest(now);
}

function showLive(state, text) {
  document.body.classList.toggle("stale", state === "lost");
  const live = at("live");
  if (live.dataset.state !== state || state === "lost") live.textContent = text;
  live.dataset.state = state;
}

async function ask() {
  const answer = await fetch("status.json", { signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer.json();
}

async function refresh() {
  try {
    last = await ask();
    showAll(last);
    answered = Date.now();
    showLive("live", "live");
  } catch {
    const since = answered ? `no answer for ${lasting((Date.now() - answered) / 1000)}` : "no answer yet";
    showLive("lost", `${since}: is the process there?`);
  }
}

async function run() {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((done) => setTimeout(done, EVERY));
  }
}

watch(() => last && showAll(last));
run();
