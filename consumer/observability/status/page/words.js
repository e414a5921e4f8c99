// Numbers and times as words. The input is what /status.json holds: seconds, epoch seconds, null.

const numbers = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

export const whole = (n) => numbers.format(n);

/** 3.2 s, 47 s, 12 min, 3 h 20 min, 2 d 4 h. */
export function lasting(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export const clock = (at) => new Date(at * 1000).toISOString().slice(11, 19);

const here = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** A time of day where the reader is. */
export const local = (at) => here.format(new Date(at * 1000));

/** The reader's zone: GMT+3. */
export const zone = new Intl.DateTimeFormat("en-GB", { timeZoneName: "shortOffset" })
  .formatToParts(new Date()).find((each) => each.type === "timeZoneName").value;

export const both = (at) => `${clock(at)} UTC, ${local(at)} local`;

const STAMP = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z/g;

/** A sentence whose UTC timestamps have the local time beside them; the date only if it is another. */
export function withLocal(text, now) {
  const today = new Date(now * 1000).toISOString().slice(0, 10);
  return text.replace(STAMP, (_, stamp) => {
    const day = stamp.slice(0, 10);
    return `${day === today ? "" : `${day} `}${both(Date.parse(`${stamp}Z`) / 1000)}`;
  });
}

export const date = (at) => `${new Date(at * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;

export const customers = (n) => (n === 1 ? "1 customer" : `${whole(n)} customers`);

export function nextPermit(lane) {
  if (lane.stopped) return "trials only";
  if (lane.next_permit === null) return "after an answer";
  if (lane.next_permit === 0) return "now";
  return lasting(lane.next_permit);
}

export function drain(lane) {
  if (lane.waiting === (lane.delayed ?? 0)) return "–";
  if (lane.stopped) return "not meanwhile";
  if (lane.drain === null) return "never";
  const without = lane.accounts.filter((each) => each.credentials_refused || each.circuit_open);
  const rest = without.length ? ` without ${without.map((each) => each.name).join(", ")}` : "";
  return lane.drain ? lasting(lane.drain) + rest : "–";
}

/** Where invitations wait; empty if all are in the lane, or if that is not known here. */
export function split(each, word = "delayed") {
  return each.delayed ? `${whole(each.waiting - each.delayed)} in the lane, ${whole(each.delayed)} ${word}` : "";
}
