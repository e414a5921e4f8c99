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

export const date = (at) => `${new Date(at * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;

export const customers = (n) => (n === 1 ? "1 customer" : `${whole(n)} customers`);

export function nextPermit(lane) {
  if (lane.next_permit === null) return "after an answer";
  if (lane.next_permit === 0) return "now";
  return lasting(lane.next_permit);
}

export function drain(lane) {
  if (!lane.waiting) return "–";
  if (lane.drain === null) return "never";
  return lane.drain ? lasting(lane.drain) : "–";
}
