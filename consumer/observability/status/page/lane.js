// One lane's card: permits as bars, what waits, what is in flight.

import { Bar, part, rows, show } from "./parts.js";
import { customers, drain, lasting, nextPermit, whole } from "./words.js";

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
  constructor(name) {
    this.limits = new Map();
    this.owner = part("span", "owner");
    this.badges = part("span", "badges");
    this.figures = part("dl");
    this.bars = part("div", "limits");
    this.flying = part("ul", "flying");
    this.campaigns = part("table");
    this.body = part("div", "body", this.figures, this.bars, this.flying,
      part("div", "scroll", this.campaigns));
    this.node = part("article", "lane",
      part("h3", "", name), this.badges, this.owner, this.body);
    this.node.dataset.lane = name;
  }

  update(lane) {
    const here = lane.owner === "here";
    this.node.classList.toggle("elsewhere", !here);
    this.owner.textContent = here ? "" : lane.owner ? `owner: ${lane.owner}` : "not owned by this process";
    this.body.hidden = !here;
    show(this.badges, badges(lane), (list) => list.map(([text, kind]) => part("b", kind, text)));
    if (!here) return;
    show(this.figures, figures(lane), (list) => list.flatMap(([name, value]) =>
      [part("div", "", part("dt", "", name), part("dd", "", value))]));
    this.updateLimits(lane);
    show(this.flying, lane.in_flight.map(flight), (list) =>
      list.map(([text, batch]) => part("li", "", text, part("span", "batch", batch))));
    show(this.campaigns, [lane.campaigns.map(window), lane.campaigns_more], waiting);
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

function badges(lane) {
  const list = [];
  for (const account of lane.accounts) {
    if (account.credentials_refused) list.push([`${account.name}: credentials refused`, "bad"]);
    if (account.circuit_open) list.push([`${account.name}: circuit open`, "bad"]);
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

const window = (campaign) =>
  [campaign.name, whole(campaign.waiting), lasting(campaign.oldest_age),
    campaign.parked ? "parked" : campaign.circuit_open ? "circuit open" : ""];

function waiting([campaigns, more]) {
  if (!campaigns.length) return [];
  const lines = campaigns.map(([name, number, age, state]) => {
    const cell = part("span", "", name);
    if (state) cell.append(" ", part("b", "warn", state));
    return [cell, number, age];
  });
  if (more) lines.push([`and ${whole(more)} more campaigns`, "", ""]);
  return rows([["campaign"], ["waiting", "number"], ["oldest", "number"]], lines);
}
