// Signs, and the picture of a machine. Every word goes in as text, never as markup.

const clamp = (value, least, most) => Math.min(Math.max(value, least), most);
const SVG = "http://www.w3.org/2000/svg";

function put(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

const h = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) => put(document.createElementNS(SVG, tag), attributes, children);

// ---------------------------------------------------------------- signs, 16 x 16

const ICONS = {
  first: "M3 3v10M13 3L6 8l7 5z",
  back: "M12 3L5 8l7 5z",
  forward: "M4 3l7 5-7 5z",
  last: "M13 3v10M3 3l7 5-7 5z",
  run: "M4 2.5l9 5.5-9 5.5z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  stop: "M3.5 3.5h9v9h-9z",
  step: "M2.5 3l6 5-6 5zM11 3h2.5v10H11z",
  agent: "M8 2.2a2.6 2.6 0 1 1 0 5.2 2.6 2.6 0 0 1 0-5.2zM3 13.8c0-3 2.2-4.8 5-4.8s5 1.8 5 4.8z",
  micro: "M2 8h6M6 5l3 3-3 3M13 8m-1.6 0a1.6 1.6 0 1 0 3.2 0a1.6 1.6 0 1 0-3.2 0",
  until: "M3 14V2.5h8l-1.6 3L11 8.5H3",
  restart: "M3 8a5 5 0 1 0 1.6-3.7M3 2.5v3h3",
  inject: "M8 2v8M5 7l3 3 3-3M3 13.5h10",
  explain: "M5.6 6a2.4 2.4 0 1 1 3.4 2.2c-.7.4-1 .8-1 1.6M8 12.4v.4",
  table: "M2.5 3.5h11v9h-11zM2.5 6.6h11M2.5 9.6h11M6.5 3.5v9",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  fold: "M4 6l4 4 4-4",
};
const FILLED = new Set(["first", "back", "forward", "last", "run", "pause", "stop", "step", "agent"]);

function icon(name) {
  const style = FILLED.has(name) ? { fill: "currentColor" } : { fill: "none" };
  return s(
    "svg",
    { viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true", focusable: "false" },
    s("path", { d: ICONS[name], ...style, stroke: "currentColor", "stroke-width": 1.5, "stroke-linejoin": "round" }),
  );
}

// Signs of what became of a transition: a word, a colour (by class) and a shape, never colour alone.
const SIGNS = {
  done: ["done", "M-3.2 .2l2.2 2.4 4.2-5"],
  again: ["again", "M3 -1.6A3.4 3.4 0 1 0 3.2 1.4M3.4 -4v2.6H.8"],
  failed: ["failed", "M-2.6 -2.6l5.2 5.2M2.6 -2.6l-5.2 5.2"],
  raised: ["raised an error", "M0 -3.6v4M0 3v.4"],
  asked: ["on request only", "M-1.5 -3v6M1.5 -3v6"],
  later: ["waits", "M0 -3.6v3.6l2.6 1.6"],
  vetoed: ["vetoed", "M-2.6 2.6l5.2-5.2M0 -3.7a3.7 3.7 0 1 0 .01 0"],
  outranked: ["another one went first", "M-3 0h6"],
  next: ["next", "M-1.8 -3l4 3-4 3"],
  off: ["switched off", "M-2.4 -2.4h4.8v4.8h-4.8z"],
};
const OUTCOMES = {
  failed: "failed", again: "again", step: "again", waiting: "later", timeout: "failed", vetoed: "vetoed", raised: "raised",
}; // prettier-ignore
const CODES = {
  DISABLED: "off", LIMBO: "again", STALE: "later", AWAIT_REPLY: "later", WAITING: "later", DELAYED: "later",
  NOT_REQUESTED: "asked", NOT_DOABLE: "asked", OUTRANKED: "outranked", VETOED: "vetoed", FAILED: "failed",
  RAISED: "raised", WILDCARD: "off", NEXT_TICK: "next",
}; // prettier-ignore

function sign(kind, x, y, size = 1) {
  return s(
    "g",
    { class: `ul-sign ul-is-${kind}`, transform: `translate(${x} ${y}) scale(${size})` },
    s("circle", { r: 6.8 }),
    s("path", { d: SIGNS[kind][1] }),
  );
}

function signed(kind) {
  const words = SIGNS[kind][0];
  const drawn = s(
    "svg",
    { viewBox: "-8 -8 16 16", width: 16, height: 16, role: "img", "aria-label": words },
    sign(kind, 0, 0),
  );
  drawn.append(s("title", {}, words));
  return drawn;
}

/** What became of the transitions of an agent in a tick: Map of "state edge" -> {kind, words}. */
function verdictsOf(records, name, why) {
  const found = new Map();
  for (const one of why?.verdicts ?? []) {
    const kind = CODES[one.code];
    if (kind && why.state)
      found.set(`${why.state} ${one.edge}`, { kind, words: one.sentence, code: one.code, now: false });
  }
  for (const row of records) {
    if (row.n !== name || row.edge === undefined) continue;
    const key = `${row.source} ${row.edge}`;
    if (row.k === "transition") found.set(key, { kind: "done", words: row.x, now: true });
    else if (row.k === "attempt") found.set(key, { kind: OUTCOMES[row.outcome] ?? "failed", words: row.x, now: true });
  }
  return found;
}

// ---------------------------------------------------------------- the machine

function pathOf(curve) {
  let d = `M${curve[0]} ${curve[1]}`;
  for (let i = 2; i < curve.length; i += 6) d += `C${curve.slice(i, i + 6).join(" ")}`;
  return d;
}

function arrowOf(curve) {
  const [cx, cy, x, y] = curve.slice(-4);
  if (Math.abs(cx - x) > Math.abs(cy - y)) return `M${x} ${y}l${cx > x ? 8 : -8} -4v8z`;
  return `M${x} ${y}l-4 ${cy < y ? -8 : 8}h8z`;
}

/** The drawing of one machine; `show` lights what an agent does in it. */
class Graph {
  constructor(onState) {
    this.onState = onState;
    this.svg = s("svg", { class: "ul-graph", role: "group" });
    this.element = h("div", { class: "ul-graph-box" }, this.svg);
    this.digest = null;
    this.drawing = null;
    this.seen = null;
    this.pan();
  }

  draw(digest, drawing) {
    if (digest === this.digest) return;
    this.digest = digest;
    this.drawing = drawing;
    this.states = new Map();
    this.edges = new Map();
    this.svg.replaceChildren();
    if (!drawing) return;
    const paths = s("g", {});
    const words = s("g", {});
    for (const edge of drawing.edges) {
      const asked = edge.labels.every((label) => label.asked);
      const teleport = edge.labels.every((label) => label.teleport);
      const group = s(
        "g",
        { class: `ul-edge${asked ? " ul-asked" : ""}${teleport ? " ul-teleport" : ""}` },
        s("path", { class: "ul-line", d: pathOf(edge.curve) }),
        s("path", { class: "ul-tip", d: arrowOf(edge.curve) }),
      );
      paths.append(group);
      const [x, y] = edge.box;
      const first = new Set();
      edge.lines.forEach(([number, text], index) => {
        const label = edge.labels.find((one) => one.edge === number);
        const line = y + 14 * index;
        const shown = s("text", { class: `ul-label${label.asked ? " ul-asked" : ""}`, x, y: line + 10.5 }, text);
        const holder = s("g", { class: "ul-mark" });
        words.append(s("g", {}, shown, holder));
        const key = `${edge.from} ${number}`;
        if (first.has(key)) {
          this.edges.get(key).texts.push(shown);
          return;
        }
        first.add(key);
        const title = s("title", {}, "");
        shown.append(title);
        this.edges.set(key, { group, texts: [shown], holder, title, label, edge, x: x - 9, y: line + 6.5 });
      });
    }
    this.svg.append(paths);
    for (const state of drawing.states) this.svg.append(this.state(state));
    this.svg.append(words);
    this.fit();
  }

  state(state) {
    const [x, y, w, height] = state.box;
    const radius = state.blocking ? 4 : Math.min(height / 2, 17);
    const initial = state.name === this.drawing.initial;
    const box = s("rect", { class: "ul-box", x, y, width: w, height, rx: radius });
    const half = s("rect", { class: "ul-half", x, y, width: w / 2, height, rx: radius });
    const group = s(
      "g",
      { class: `ul-state${state.blocking ? " ul-blocking" : ""}`, role: "button", tabindex: -1 },
      box,
      half,
      initial &&
        s("rect", {
          class: "ul-inner",
          x: x + 3.5,
          y: y + 3.5,
          width: w - 7,
          height: height - 7,
          rx: Math.max(radius - 3, 2),
        }),
    );
    let line = y + 5.5;
    for (const text of state.lines) group.append(s("text", { class: "ul-name", x: x + w / 2, y: (line += 14) }, text));
    for (const text of state.more) group.append(s("text", { class: "ul-does", x: x + w / 2, y: (line += 14) }, text));
    const now = s(
      "g",
      { class: "ul-now", transform: `translate(${x + 11} ${y + 11})` },
      s("circle", { r: 4.5 }),
      s("path", { d: "M0 -4.5a4.5 4.5 0 0 0 0 9z" }),
    );
    const stop = s("circle", { class: "ul-break", cx: x, cy: y, r: 5.5 });
    const count = s("text", { class: "ul-count", x: x + w, y: y + height + 10 });
    group.append(now, stop, count);
    const choose = () => this.onState(state.name);
    group.addEventListener("click", choose);
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        choose();
        event.preventDefault();
        event.stopPropagation();
      }
    });
    this.states.set(state.name, { group, count, state, initial });
    return group;
  }

  /** Light what an agent does: `node` of the fold, verdicts by "state edge", breakpoints by state, the chosen state. */
  show(name, node, verdicts, breaks, chosen) {
    if (!this.drawing) return;
    const limbo = node?.pending ? `, in the middle of ${node.pending[1]}` : "";
    this.svg.setAttribute(
      "aria-label",
      `The machine of ${name}: ${node?.state ? `now in ${node.state}${limbo}` : "in no state"}`,
    );
    for (const [state, { group, count, state: data, initial }] of this.states) {
      const now = node?.state === state;
      const visits = node?.visits?.[state] ?? 0;
      group.classList.toggle("ul-current", now && !node.pending);
      group.classList.toggle("ul-limbo", now && Boolean(node.pending));
      group.classList.toggle("ul-chosen", chosen === state);
      group.classList.toggle("ul-stops", breaks.has(state));
      group.setAttribute("tabindex", now || (!node?.state && initial) ? 0 : -1);
      const facts = [state, now && "now here", initial && "initial", !data.blocking && "not blocking"];
      facts.push(
        data.does && `does ${data.does}`,
        visits && `entered ${visits} times`,
        breaks.has(state) && "breakpoint",
      );
      group.setAttribute("aria-label", facts.filter(Boolean).join(", "));
      count.textContent = visits > 1 ? `×${visits}` : "";
    }
    for (const [key, { group }] of this.edges)
      group.classList.remove("ul-tried", "ul-pulse", ...Object.keys(SIGNS).map((one) => `ul-is-${one}`));
    for (const [key, { group, texts, holder, title, label, edge, x, y }] of this.edges) {
      const verdict = verdicts.get(key);
      holder.replaceChildren();
      title.textContent = verdict ? `${label.text}\n${verdict.words}` : label.text;
      for (const text of texts) text.classList.toggle("ul-strong", Boolean(verdict?.now));
      if (!verdict) continue;
      const mark = sign(verdict.kind, x, y, verdict.now ? 1 : 0.8);
      mark.append(s("title", {}, `${SIGNS[verdict.kind][0]}: ${verdict.words}`));
      holder.append(mark);
      if (verdict.now) {
        group.classList.add("ul-tried", `ul-is-${verdict.kind}`);
        group.classList.toggle(
          "ul-pulse",
          Boolean(node?.pending) && edge.from === node.state && label.edge === node.pending[0],
        );
      }
    }
    this.sight(node?.state);
  }

  // -------------------------------------------------------------- looking closer

  /** As large as can be read, the current state in sight; with `all`, as small as it takes to see everything. */
  fit(all = false) {
    if (!this.drawing) return;
    const { clientWidth, clientHeight } = this.element;
    const wide = (clientWidth - 12) / this.drawing.w;
    const high = (clientHeight - 12) / this.drawing.h;
    this.scaled(all ? Math.min(wide, high, 1.3) : clamp(Math.min(wide, Math.max(high, 0.8)), 0.7, 1.2));
    this.seen = null;
  }

  scaled(scale) {
    this.scale = scale > 0 ? scale : 1;
    this.svg.setAttribute("viewBox", `0 0 ${this.drawing.w} ${this.drawing.h}`);
    this.svg.setAttribute("width", Math.round(this.drawing.w * this.scale));
    this.svg.setAttribute("height", Math.round(this.drawing.h * this.scale));
  }

  zoom(factor) {
    if (!this.drawing) return;
    const box = this.element;
    const middle = [box.scrollLeft + box.clientWidth / 2, box.scrollTop + box.clientHeight / 2];
    const before = this.scale;
    this.scaled(clamp(this.scale * factor, 0.15, 4));
    box.scrollLeft = (middle[0] * this.scale) / before - box.clientWidth / 2;
    box.scrollTop = (middle[1] * this.scale) / before - box.clientHeight / 2;
  }

  /** Scroll until a state is in sight, once. */
  sight(name) {
    const state = this.states.get(name)?.state;
    if (!state || this.seen === name || !this.element.clientHeight) return;
    this.seen = name;
    const box = this.element;
    const [x, y, w, height] = state.box.map((number) => number * this.scale);
    if (y < box.scrollTop + 10 || y + height > box.scrollTop + box.clientHeight - 20)
      box.scrollTop = y + height / 2 - box.clientHeight / 2;
    if (x < box.scrollLeft || x + w > box.scrollLeft + box.clientWidth)
      box.scrollLeft = x + w / 2 - box.clientWidth / 2;
  }

  pan() {
    const box = this.element;
    let from = null;
    box.addEventListener("pointerdown", (event) => {
      from = event.pointerType === "mouse" ? [event.clientX + box.scrollLeft, event.clientY + box.scrollTop] : null;
    });
    box.addEventListener("pointermove", (event) => {
      if (!from || !(event.buttons & 1)) return void (from = null);
      box.scrollLeft = from[0] - event.clientX;
      box.scrollTop = from[1] - event.clientY;
    });
    const wheel = (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      this.zoom(event.deltaY > 0 ? 1 / 1.2 : 1.2);
    };
    box.addEventListener("wheel", wheel, { passive: false });
  }
}
