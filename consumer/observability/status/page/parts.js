// Pieces of the page. All text goes in as text, never as markup.

export function part(tag, className = "", ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** A name that may go on in the next line after a dot, dash or underscore, and nowhere else. */
export function name(text) {
  const pieces = text.split(/(?<=[._/-])/);
  return part("span", "", ...pieces.flatMap((piece, i) => (i ? [part("wbr"), piece] : [piece])));
}

const shown = new WeakMap();

/** Build the node's content again only if `value` is another one: selected text stays selected. */
export function show(node, value, build) {
  const text = JSON.stringify(value);
  if (shown.get(node) === text) return;
  shown.set(node, text);
  node.replaceChildren(...build(value));
}

/** The rows of a table: `heads` are [title, class]; a cell is a text or a node. */
export function rows(heads, lines) {
  const head = part("tr");
  for (const [title, kind] of heads) head.append(part("th", kind, title));
  const body = lines.map((cells) => {
    const row = part("tr");
    cells.forEach((cell, i) => row.append(part("td", heads[i][1], typeof cell === "string" ? name(cell) : cell)));
    return row;
  });
  return [part("thead", "", head), part("tbody", "", ...body)];
}

/** A bar that moves from where it was. */
export class Bar {
  constructor(label) {
    this.fill = part("i");
    this.node = part("div", "bar", this.fill);
    this.node.setAttribute("role", "meter");
    this.node.setAttribute("aria-label", label);
    this.node.setAttribute("aria-valuemin", "0");
  }

  set(value, total) {
    const share = total ? Math.min(1, Math.max(0, value / total)) : 0;
    this.fill.style.transform = `scaleX(${share.toFixed(4)})`;
    this.node.classList.toggle("low", share < 0.15);
    this.node.setAttribute("aria-valuemax", total);
    this.node.setAttribute("aria-valuenow", value);
  }
}
