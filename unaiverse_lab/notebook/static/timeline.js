// The timeline: a lane for each agent, time downwards.

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
    this.box = h(
      "div",
      {
        class: "ul-scroll",
        tabindex: 0,
        role: "group",
        "aria-label": "Timeline: a lane for each agent, time downwards",
      },
      this.head,
      this.space,
    );
    this.box.addEventListener("scroll", () => this.draw());
    this.box.addEventListener("pointerleave", () => this.follow(null)); // an arrow that was drawn anew is never left
    this.box.addEventListener("pointermove", (event) => {
      if (this.chain && !event.target.closest(".ul-arrow")) this.follow(null);
    });
    this.svg.addEventListener("click", (event) => {
      const row =
        this.scenes?.rows[this.first + Math.floor((event.clientY - this.svg.getBoundingClientRect().top) / ROW)];
      if (row) this.onTick(row.tick);
    });
    this.tints = new Map();
    this.data = true;
    this.chain = null;
    this.shown = [];
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
    this.gap = clamp(
      (this.box.clientWidth - GUTTER - this.lanes.length * this.lane) / (this.lanes.length || 1),
      40,
      150,
    );
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

  /** Make the causal chain of an arrow stand out; null: of none. */
  follow(arrow) {
    this.chain = arrow && this.scenes.chain(arrow);
    for (const [group, one] of this.shown) {
      group.classList.toggle("ul-chain", this.chain?.has(one) ?? false);
      group.classList.toggle("ul-aside", this.chain ? !this.chain.has(one) : false);
    }
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
        const mark = sign(
          "raised",
          this.x(place.get(fault.node)) + this.lane - 9,
          (fault.row - this.first) * ROW + ROW / 2,
        );
        mark.append(s("title", {}, fault.words));
        drawn.push(mark);
      }
    }
    this.svg.replaceChildren(...drawn);
    if (this.chain) this.shown.forEach(([group, one]) => group.classList.add(this.chain.has(one) ? "ul-chain" : "ul-aside"));
    const rows = scenes.rows;
    const span = rows.length ? `ticks ${rows[0].tick} to ${rows[rows.length - 1].tick}` : "nothing happened yet";
    this.svg.setAttribute(
      "aria-label",
      `Timeline, ${span}; agents: ${this.lanes.join(", ")}; ${scenes.arrows.length} arrows`,
    );
  }

  row(row, number, width) {
    const y = (number - this.first) * ROW;
    const now = number === this.at;
    const line = s("path", { class: "ul-grid", d: `M0 ${y + 0.5}H${width}` });
    if (row.quiet) {
      const words = `⋮ ${row.quiet} quiet`;
      return [
        now && s("rect", { class: "ul-cursor", x: 0, y, width, height: ROW }),
        line,
        s("text", { class: "ul-quiet", x: 8, y: y + 15 }, words),
      ].filter(Boolean);
    }
    const hit = s("rect", { class: now ? "ul-cursor" : "ul-hit", x: 0, y, width, height: ROW });
    hit.append(s("title", {}, `tick ${row.tick}, ${row.seconds} s`));
    return [
      hit,
      line,
      s("text", { class: "ul-tick", x: 8, y: y + 15 }, `${row.tick}`),
      s("text", { class: "ul-seconds", x: GUTTER - 10, y: y + 15 }, `${row.seconds} s`),
    ];
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
    this.shown = [];
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
      const group = s(
        "g",
        { class: `ul-arrow ul-goes-${kind}` },
        s("path", { class: "ul-near", d }),
        s("path", { class: "ul-line", d }),
        s("path", { class: "ul-tip", d: `M${tip} ${y}l${-direction * 7} -3.5v7z` }),
      );
      group.append(
        s("title", {}, `${this.scenes.nameOf(arrow.from)} → ${this.scenes.nameOf(arrow.to)}: ${arrow.words} (${end})`),
      );
      group.addEventListener("pointerenter", () => this.follow(arrow));
      group.addEventListener("pointerleave", () => this.follow(null));
      this.shown.push([group, arrow]);
      drawn.push(group);
      if (this.gap > 60 && slot === 0 && Math.abs(target - source) === 1 && !arrow.data) {
        const most = Math.floor((this.gap - 26) / 5.2);
        const words = arrow.words.length > most ? `${arrow.words.slice(0, most - 1)}…` : arrow.words;
        drawn.push(
          s("text", { class: `ul-said ul-goes-${kind}`, x: (start + tip) / 2 + direction * 6, y: y - 3 }, words),
        );
      }
    }
    return drawn;
  }
}
