// The filter by lane and campaign. It lives in the address, after #, and is never sent.

const at = (id) => document.getElementById(id);

/** Whether a campaign's name has this text; without text every one has. */
export const names = (text, campaign) => campaign.toLowerCase().includes(text.toLowerCase());

export function filter() {
  const asked = new URLSearchParams(location.hash.slice(1));
  return { lane: asked.get("lane") ?? "", campaign: asked.get("campaign") ?? "" };
}

/** Fill the fields with the names that there are; what is chosen stays, also if it is gone. */
export function offer(lanes) {
  const now = filter();
  options(at("filter-lane"), [...new Set([...lanes.map((lane) => lane.name), now.lane])].filter(Boolean));
  options(at("filter-campaigns"), lanes.flatMap((lane) => lane.campaigns.map((each) => each.name)));
  at("filter-lane").value = now.lane;
  if (document.activeElement !== at("filter-campaign")) at("filter-campaign").value = now.campaign;
}

function options(node, found) {
  const keep = node.querySelector("option[value='']");
  const wanted = [...new Set(found)].sort();
  const there = [...node.options].map((option) => option.value).filter(Boolean);
  if (wanted.join("\n") === there.join("\n")) return;
  node.replaceChildren(...(keep ? [keep] : []), ...wanted.map((text) => new Option(text, text)));
}

/** Call `changed` whenever another filter is in the address. */
export function watch(changed) {
  const write = () => {
    const asked = new URLSearchParams();
    for (const key of ["lane", "campaign"]) {
      const value = at(`filter-${key}`).value.trim();
      if (value) asked.set(key, value);
    }
    history.replaceState(null, "", `${location.pathname}${location.search}#${asked}`);
    changed();
  };
  at("filter-lane").addEventListener("change", write);
  at("filter-campaign").addEventListener("input", write);
  addEventListener("hashchange", changed);
}
