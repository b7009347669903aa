// Pictures made of the replay: the machine of an agent, and the timeline. Every word goes in as text, never as markup.

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
  const drawn = s("svg", { viewBox: "-8 -8 16 16", width: 16, height: 16, role: "img", "aria-label": words }, sign(kind, 0, 0));
  drawn.append(s("title", {}, words));
  return drawn;
}

/** What became of the transitions of an agent in a tick: Map of "state edge" -> {kind, words}. */
function verdictsOf(records, name, why) {
  const found = new Map();
  for (const one of why?.verdicts ?? []) {
    const kind = CODES[one.code];
    if (kind && why.state) found.set(`${why.state} ${one.edge}`, { kind, words: one.sentence, code: one.code, now: false });
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
      initial && s("rect", { class: "ul-inner", x: x + 3.5, y: y + 3.5, width: w - 7, height: height - 7, rx: Math.max(radius - 3, 2) }),
    );
    let line = y + 5.5;
    for (const text of state.lines) group.append(s("text", { class: "ul-name", x: x + w / 2, y: (line += 14) }, text));
    for (const text of state.more) group.append(s("text", { class: "ul-does", x: x + w / 2, y: (line += 14) }, text));
    const now = s("g", { class: "ul-now", transform: `translate(${x + 11} ${y + 11})` }, s("circle", { r: 4.5 }), s("path", { d: "M0 -4.5a4.5 4.5 0 0 0 0 9z" }));
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
    this.svg.setAttribute("aria-label", `The machine of ${name}: ${node?.state ? `now in ${node.state}${limbo}` : "in no state"}`);
    for (const [state, { group, count, state: data, initial }] of this.states) {
      const now = node?.state === state;
      const visits = node?.visits?.[state] ?? 0;
      group.classList.toggle("ul-current", now && !node.pending);
      group.classList.toggle("ul-limbo", now && Boolean(node.pending));
      group.classList.toggle("ul-chosen", chosen === state);
      group.classList.toggle("ul-stops", breaks.has(state));
      group.setAttribute("tabindex", now || (!node?.state && initial) ? 0 : -1);
      const facts = [state, now && "now here", initial && "initial", !data.blocking && "not blocking"];
      facts.push(data.does && `does ${data.does}`, visits && `entered ${visits} times`, breaks.has(state) && "breakpoint");
      group.setAttribute("aria-label", facts.filter(Boolean).join(", "));
      count.textContent = visits > 1 ? `×${visits}` : "";
    }
    for (const [key, { group }] of this.edges) group.classList.remove("ul-tried", "ul-pulse", ...Object.keys(SIGNS).map((one) => `ul-is-${one}`));
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
        group.classList.toggle("ul-pulse", Boolean(node?.pending) && edge.from === node.state && label.edge === node.pending[0]);
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
    if (y < box.scrollTop + 10 || y + height > box.scrollTop + box.clientHeight - 20) box.scrollTop = y + height / 2 - box.clientHeight / 2;
    if (x < box.scrollLeft || x + w > box.scrollLeft + box.clientWidth) box.scrollLeft = x + w / 2 - box.clientWidth / 2;
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

// ---------------------------------------------------------------- the timeline

const ROW = 22;
const GUTTER = 88;
const TINTS = 8;

/** Lanes for agents, rows for the ticks at which something happened; only what is in sight is drawn. */
class Timeline {
  constructor(onTick) {
    this.onTick = onTick;
    this.head = h("div", { class: "ul-lanes", "aria-hidden": "true" });
    this.svg = s("svg", { class: "ul-times", role: "img" });
    this.space = h("div", { class: "ul-space" }, this.svg);
    this.box = h("div", { class: "ul-scroll", tabindex: 0, role: "group", "aria-label": "Timeline: a lane for each agent, time downwards" }, this.head, this.space);
    this.box.addEventListener("scroll", () => this.draw());
    this.svg.addEventListener("click", (event) => {
      const row = this.scenes?.rows[this.first + Math.floor((event.clientY - this.svg.getBoundingClientRect().top) / ROW)];
      if (row) this.onTick(row.tick);
    });
    this.tints = new Map();
    this.data = true;
    this.role = "";
    this.cursor = -1;
    this.element = this.box;
  }

  tint(state) {
    if (!this.tints.has(state)) this.tints.set(state, this.tints.size % TINTS);
    return this.tints.get(state);
  }

  /** Show a replay with the cursor at a tick, only the lanes in `names`. */
  show(scenes, tick, names, selected, follow) {
    this.scenes = scenes;
    this.selected = selected;
    this.lanes = names.filter((name) => scenes.lanes.has(name));
    this.lane = this.lanes.length > 6 ? 92 : 116;
    this.gap = clamp((this.box.clientWidth - GUTTER - this.lanes.length * this.lane) / (this.lanes.length || 1), 40, 150);
    const width = GUTTER + this.lanes.length * (this.lane + this.gap);
    this.space.style.height = `${scenes.rows.length * ROW}px`;
    this.space.style.width = this.head.style.width = `${width}px`;
    const titles = this.lanes.map((name, index) => {
      const style = `left:${this.x(index)}px;width:${this.lane}px`;
      return h("span", { style, class: name === selected ? "ul-chosen" : null, title: name }, name);
    });
    this.head.replaceChildren(...titles);
    const at = scenes.at(tick);
    if (at !== this.at || follow) {
      this.at = at;
      const top = this.box.scrollTop;
      const height = this.box.clientHeight - ROW * 2.5;
      if (at * ROW < top || at * ROW > top + height) this.box.scrollTop = at * ROW - height * (follow ? 1 : 0.5);
    }
    this.draw();
  }

  x(index) {
    return GUTTER + index * (this.lane + this.gap);
  }

  draw() {
    const scenes = this.scenes;
    if (!scenes) return;
    const top = this.box.scrollTop;
    this.first = Math.max(0, Math.floor(top / ROW) - 2);
    const end = Math.min(scenes.rows.length, this.first + Math.ceil(this.box.clientHeight / ROW) + 4);
    const width = this.space.offsetWidth || 600;
    this.svg.style.transform = `translateY(${this.first * ROW}px)`;
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("height", Math.max(0, (end - this.first) * ROW));
    const place = new Map(this.lanes.map((name, index) => [name, index]));
    const drawn = [];
    const words = [];
    for (let row = this.first; row < end; row++) drawn.push(...this.row(scenes.rows[row], row, width));
    this.lanes.forEach((name, index) => this.stays(scenes.lanes.get(name), index, end, drawn, words));
    drawn.push(...this.arrows(place, end), ...words);
    for (const fault of scenes.faults) {
      if (fault.row >= this.first && fault.row < end && place.has(fault.node)) {
        const mark = sign("raised", this.x(place.get(fault.node)) + this.lane - 9, (fault.row - this.first) * ROW + ROW / 2);
        mark.append(s("title", {}, fault.words));
        drawn.push(mark);
      }
    }
    this.svg.replaceChildren(...drawn);
    const rows = scenes.rows;
    const span = rows.length ? `ticks ${rows[0].tick} to ${rows[rows.length - 1].tick}` : "nothing happened yet";
    this.svg.setAttribute("aria-label", `Timeline, ${span}; agents: ${this.lanes.join(", ")}; ${scenes.arrows.length} arrows`);
  }

  row(row, number, width) {
    const y = (number - this.first) * ROW;
    const now = number === this.at;
    const line = s("path", { class: "ul-grid", d: `M0 ${y + 0.5}H${width}` });
    if (row.quiet) {
      const words = `⋮ ${row.quiet} quiet`;
      return [now && s("rect", { class: "ul-cursor", x: 0, y, width, height: ROW }), line, s("text", { class: "ul-quiet", x: 8, y: y + 15 }, words)].filter(Boolean);
    }
    const hit = s("rect", { class: now ? "ul-cursor" : "ul-hit", x: 0, y, width, height: ROW });
    hit.append(s("title", {}, `tick ${row.tick}, ${row.seconds} s`));
    return [hit, line, s("text", { class: "ul-tick", x: 8, y: y + 15 }, `${row.tick}`), s("text", { class: "ul-seconds", x: GUTTER - 10, y: y + 15 }, `${row.seconds} s`)];
  }

  stays(lane, index, end, drawn, texts) {
    const rows = this.scenes.rows.length;
    let low = 0;
    let high = lane.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (lane[middle].row <= this.first) low = middle + 1;
      else high = middle;
    }
    for (let i = Math.max(0, low - 1); i < lane.length && lane[i].row < end; i++) {
      const { row, state, through } = lane[i];
      if (state === null) continue;
      const from = Math.max(row, this.first - 1);
      const to = Math.min(lane[i + 1]?.row ?? rows, end + 1);
      if (to <= this.first) continue;
      const y = (from - this.first) * ROW + 1;
      const x = this.x(index);
      const height = (to - from) * ROW - 2;
      const block = s("rect", { class: `ul-stay ul-tint-${this.tint(state)}`, x, y, width: this.lane, height, rx: 3 });
      const words = through ? `${through.map((one) => `${one} › `).join("")}${state}` : state;
      block.append(s("title", {}, words));
      drawn.push(block);
      const most = Math.floor((this.lane - 10) / 6.1);
      const short = words.length <= most ? words : `${through ? "› " : ""}${state}`;
      const text = short.length > most ? `${short.slice(0, most - 1)}…` : short;
      const at = clamp(this.box.scrollTop - this.first * ROW, y, y + height - ROW + 2) + 14;
      texts.push(s("text", { class: `ul-in ul-tint-${this.tint(state)}`, x: x + 6, y: at }, text));
    }
  }

  arrows(place, end) {
    const drawn = [];
    const used = new Map();
    const arrows = this.scenes.arrows;
    let low = 0;
    let high = arrows.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (arrows[middle].arrived < this.first - 1) low = middle + 1;
      else high = middle;
    }
    for (let i = low; i < arrows.length && arrows[i].arrived < end + 8; i++) {
      const arrow = arrows[i];
      if (arrow.data && !this.data) continue;
      const source = place.get(this.scenes.nameOf(arrow.from));
      const target = place.get(this.scenes.nameOf(arrow.to));
      if (source === undefined || target === undefined || source === target) continue;
      const slot = used.get(arrow.arrived) ?? 0;
      used.set(arrow.arrived, slot + 1);
      const direction = target > source ? 1 : -1;
      const start = this.x(source) + (direction > 0 ? this.lane : 0);
      const tip = this.x(target) + (direction > 0 ? 0 : this.lane);
      const y = (arrow.arrived - this.first) * ROW + ROW / 2 + ((slot % 3) - 1) * 5 + 1;
      const sent = arrow.left >= 0 && arrow.left < arrow.arrived ? (arrow.left - this.first) * ROW + ROW / 2 : y;
      const kind = arrow.data ? "data" : arrow.outcome === null ? "open" : arrow.outcome === "ok" ? "ok" : "bad";
      const turn = start + direction * 12;
      const d = `M${start} ${sent}Q${turn} ${sent} ${turn} ${(sent + y) / 2}T${turn + direction * 6} ${y}H${tip - direction * 6}`;
      const end = { open: "under way", ok: "done", bad: arrow.outcome, data: "data" }[kind];
      const group = s("g", { class: `ul-arrow ul-goes-${kind}` }, s("path", { class: "ul-line", d }), s("path", { class: "ul-tip", d: `M${tip} ${y}l${-direction * 7} -3.5v7z` }));
      group.append(s("title", {}, `${this.scenes.nameOf(arrow.from)} → ${this.scenes.nameOf(arrow.to)}: ${arrow.words} (${end})`));
      drawn.push(group);
      if (this.gap > 60 && slot === 0 && Math.abs(target - source) === 1 && !arrow.data) {
        const most = Math.floor((this.gap - 26) / 5.2);
        const words = arrow.words.length > most ? `${arrow.words.slice(0, most - 1)}…` : arrow.words;
        drawn.push(s("text", { class: `ul-said ul-goes-${kind}`, x: (start + tip) / 2 + direction * 6, y: y - 3 }, words));
      }
    }
    return drawn;
  }
}
