// One lane's card: permits as bars, what waits, what is in flight.

import { names } from "./filter.js";
import { Bar, name, part, rows, show } from "./parts.js";
import { both, customers, drain, lasting, nextPermit, split, whole } from "./words.js";

const CAMPAIGNS = 20;

class Limit {
  constructor(name) {
    this.bar = new Bar(`permits left of ${name}`);
    this.left = part("span", "left");
    this.node = part("div", "limit", part("span", "name", name), this.bar.node, this.left);
  }

  update(limit, holdsBack) {
    this.bar.set(limit.left, limit.calls);
    this.left.textContent = `${Math.floor(limit.left)} of ${limit.calls}`;
    this.node.classList.toggle("holds-back", holdsBack);
  }
}

export class LaneCard {
  constructor(lane) {
    this.limits = new Map();
    this.owner = part("span", "owner");
    this.badges = part("span", "badges");
    this.figures = part("dl");
    this.split = part("p", "split");
    this.stopped = part("p", "stopped");
    this.bars = part("div", "limits");
    this.flying = part("ul", "flying");
    this.campaigns = part("table");
    this.body = part("div", "body", this.figures, this.split, this.stopped, this.bars, this.flying,
      part("div", "scroll", this.campaigns));
    this.node = part("article", "lane",
      part("header", "", part("h3", "", name(lane)), this.badges, this.owner), this.body);
    this.node.dataset.lane = lane;
  }

  update(lane, filter) {
    const here = lane.owner === "here";
    const chosen = lane.campaigns.filter((each) => names(filter.campaign, each.name));
    this.node.hidden = (filter.lane && filter.lane !== lane.name)
      || (filter.campaign && !chosen.length);
    this.node.classList.toggle("elsewhere", !here);
    this.owner.textContent = here ? "" : lane.owner ? `owner: ${lane.owner}` : "not owned by this process";
    this.body.hidden = !here;
    show(this.badges, badges(lane), (list) => list.map(badge));
    if (!here) return;
    show(this.figures, figures(lane), (list) => list.map(([title, value]) =>
      part("div", "", part("dt", "", title), part("dd", "", value))));
    this.split.textContent = lane.delayed ? `waiting: ${split(lane)}` : "";
    this.stopped.textContent = lane.stopped ? `Only trials leave while ${lane.stopped}.` : "";
    this.updateLimits(lane);
    show(this.flying, lane.in_flight.map(flight), (list) =>
      list.map(([text, batch]) => part("li", "", text, part("span", "batch", batch))));
    const more = filter.campaign ? 0 : CAMPAIGNS;
    const rest = more ? chosen.slice(more).length + lane.campaigns_more : lane.campaigns_more;
    show(this.campaigns, [(more ? chosen.slice(0, more) : chosen).map(window), rest], waiting);
  }

  updateLimits(lane) {
    const names = lane.limits.map((limit) => limit.name);
    for (const [name, limit] of this.limits) {
      if (!names.includes(name)) {
        limit.node.remove();
        this.limits.delete(name);
      }
    }
    for (const limit of lane.limits) {
      if (!this.limits.has(limit.name)) {
        this.limits.set(limit.name, new Limit(limit.name));
        this.bars.append(this.limits.get(limit.name).node);
      }
      this.limits.get(limit.name).update(limit, lane.held_back_by === limit.name);
    }
  }
}

function badge([text, kind, title]) {
  const node = part("b", kind, name(text));
  if (title) node.title = title;
  return node;
}

function badges(lane) {
  const list = [];
  for (const account of lane.accounts) {
    const why = [account.since && `since ${both(account.since)}`, account.why].filter(Boolean);
    const title = why.join(": ");
    if (account.credentials_refused) list.push([`${account.name}: refused`, "bad", title]);
    if (account.circuit_open) list.push([`${account.name}: circuit open`, "bad", title]);
  }
  if (lane.held_back_by === "429") list.push(["429", "bad"]);
  if (lane.limits_in_use < 1) {
    list.push([`${Math.round(lane.limits_in_use * 100)} % of its limits`, "warn"]);
  }
  if (lane.paused) list.push(["reads no more", "warn"]);
  return list;
}

function figures(lane) {
  return [
    ["waiting", whole(lane.waiting)],
    ["in flight", whole(lane.in_flight.length)],
    ["next permit", lane.limits.length ? nextPermit(lane) : "unlimited"],
    ["drained in", drain(lane)],
  ];
}

const flight = (batch) =>
  [`${batch.campaign} · ${customers(batch.customers)} · ${lasting(batch.age)} `, batch.batch];

const state = (campaign) =>
  (campaign.parked ? "parked" : campaign.circuit_open ? "circuit open" : "");

const details = (campaign) =>
  [campaign.tries_at ? `next try ${both(campaign.tries_at)}` : "", campaign.why].filter(Boolean);

const window = (campaign) =>
  [campaign.name, whole(campaign.waiting), split(campaign, campaign.parked ? "parked" : "delayed"),
    campaign.waiting > (campaign.delayed ?? 0) ? lasting(campaign.oldest_age) : "–", state(campaign), details(campaign)];

function waiting([campaigns, more]) {
  if (!campaigns.length) return [];
  const lines = campaigns.map(([campaign, number, where, age, sick, why]) => {
    const cell = part("span", "", name(campaign));
    if (sick) cell.append(" ", part("b", "warn", sick));
    cell.append(...why.map((line) => part("small", "", line)));
    return [cell, part("span", "", number, ...(where ? [part("small", "", where)] : [])), age];
  });
  if (more) lines.push([`and ${whole(more)} more campaigns`, "", ""]);
  return rows([["campaign"], ["waiting", "number"], ["oldest", "number"]], lines);
}
