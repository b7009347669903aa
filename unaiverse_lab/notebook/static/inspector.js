// The pages of the inspector: what is the matter with the selected agent, and what happened.

class Inspector {
  showInspector(fold, node, verdicts, why) {
    const { store } = this;
    for (const tab of this.tabs.children) {
      const on = tab.dataset.tab === store.tab;
      tab.setAttribute("aria-selected", String(on));
      tab.setAttribute("tabindex", on ? 0 : -1);
      if (on) this.pages.setAttribute("aria-label", tab.textContent);
    }
    if (this.inspector.inside.hidden) return;
    const held = this.pages.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const top = this.pages.dataset.tab === store.tab ? this.pages.scrollTop : 0;
    this.pages.dataset.tab = store.tab;
    this.pages.replaceChildren(...this[`${store.tab}Page`](fold, node, verdicts, why).filter(Boolean));
    this.pages.scrollTop = top;
    if (held !== null)
      ([...this.pages.querySelectorAll("[data-key]")].find((one) => one.dataset.key === held) ?? this.pages).focus();
  }

  facts(pairs) {
    const rows = pairs.filter(([, value]) => value !== null && value !== undefined && value !== false && value !== "");
    return h("dl", {}, ...rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  }

  nowPage(fold, node, verdicts) {
    if (!node) return [h("p", {}, "Nobody is here so far.")];
    const { store } = this;
    const seconds = node.since === undefined ? null : store.replay.secondsOf(node.since);
    const since =
      node.since === undefined
        ? null
        : `tick ${node.since}${seconds === null ? "" : ` (${Number(seconds.toFixed(3))} s)`}`;
    const page = [
      this.facts([
        ["role", node.role],
        ["state", node.state ?? node.stage ?? "none"],
        ["since", node.state ? since : null],
        ["in progress", node.pending?.[1]],
        ["machine", node.off ? "switched off" : null],
        ["errors", node.errors],
      ]),
    ];
    page.push(this.statePart(node, verdicts));
    page.push(
      ...this.asks(
        "Requests to serve",
        node.queue,
        ([action, who, tick, state]) => `${action}, asked by ${who} at tick ${tick}${state ? `, in ${state}` : ""}`,
      ),
    );
    page.push(
      ...this.asks(
        "Asked of others, open",
        node.sent,
        ([action, targets, tick]) => `${action}, of ${clip(targets.join(", "), 60)} at tick ${tick}`,
      ),
    );
    const breaks = store.model.get("breaks") ?? [];
    if (breaks.length) {
      const items = breaks.map((one) =>
        h(
          "li",
          {},
          `${one.name} `,
          h(
            "button",
            {
              type: "button",
              class: "ul-link",
              "data-key": `off ${one.name}`,
              "aria-label": `Remove the breakpoint ${one.name}`,
              onclick: () => store.command("unbreak", { name: one.name }),
            },
            "remove",
          ),
        ),
      );
      page.push(h("h4", {}, "Breakpoints"), h("ul", { class: "ul-plain" }, ...items));
    }
    const last = store.replay.rows.slice(0, store.cursor.at - store.replay.from);
    const mine = [];
    for (let i = last.length - 1; i >= 0 && i > last.length - 3000 && mine.length < 6; i--)
      if (last[i].n === store.agent && last[i].k !== "attempt" && last[i].k !== "in-state")
        mine.push(store.replay.from + i);
    if (mine.length) page.push(h("h4", {}, "Last"), this.records(mine.reverse(), true));
    return page;
  }

  asks(title, asks, words) {
    const all = Object.values(asks ?? {});
    if (!all.length) return [];
    const more = all.length > 20 ? [h("li", {}, `and ${all.length - 20} more`)] : [];
    return [
      h("h4", {}, `${title} (${all.length})`),
      h("ul", { class: "ul-plain" }, ...all.slice(0, 20).map((one) => h("li", {}, words(one))), ...more),
    ];
  }

  statePart(node, verdicts) {
    const { store } = this;
    const drawing = this.drawing();
    const state = drawing?.states.find((one) => one.name === store.state);
    if (!state) return null;
    const stop = this.breaksOf(store.agent, node).get(state.name);
    const leaving = drawing.edges
      .filter((edge) => edge.from === state.name)
      .flatMap((edge) => edge.labels.map((label) => [label, edge.to]))
      .sort(([one], [other]) => one.edge - other.edge);
    const items = leaving.map(([label, to]) => {
      const verdict = verdicts.get(`${state.name} ${label.edge}`);
      return h(
        "li",
        { title: verdict?.words },
        verdict && signed(verdict.kind),
        ` ${label.text} → ${to}${label.asked ? " (on request)" : ""}`,
      );
    });
    const set = () =>
      stop
        ? store.command("unbreak", { name: stop.name })
        : store.command("break_on", { what: `${node.role ?? store.agent}:${state.name}` });
    const facts = [
      state.name === drawing.initial && "initial",
      state.blocking ? "blocking" : "not blocking",
      state.does && `does ${state.does}`,
      `entered ${node.visits?.[state.name] ?? 0} times`,
    ];
    const button = h(
      "button",
      {
        type: "button",
        class: "ul-button",
        "data-key": "stop",
        "aria-pressed": String(Boolean(stop)),
        "aria-disabled": String(!store.online),
        onclick: () => store.online && set(),
      },
      h("span", { class: "ul-dot", "aria-hidden": "true" }),
      stop ? "Do not stop here" : "Stop here",
    );
    return h(
      "div",
      { class: "ul-card" },
      h("h4", {}, `State ${state.name}`, " ", button),
      h("p", {}, facts.filter(Boolean).join(", ")),
      h("ul", { class: "ul-plain" }, ...items),
    );
  }

  whyPage(fold, node, verdicts, why) {
    const { store } = this;
    if (store.runs) return [h("p", {}, "While the world runs there is no answer: pause it.")];
    if (!why) return [h("p", {}, store.online ? "…" : "The answer for this tick was not saved.")];
    const page = [h("p", { class: "ul-headline" }, why.headline), ...(why.notes ?? []).map((note) => h("p", {}, note))];
    if (why.verdicts?.length) {
      const rows = why.verdicts.map((one) =>
        h(
          "tr",
          {},
          h("td", {}, CODES[one.code] ? signed(CODES[one.code]) : null),
          h("td", {}, `${one.edge + 1}. ${one.action} → ${one.target}`),
          h("td", {}, h("code", {}, one.code), ` ${one.sentence}`),
        ),
      );
      page.push(
        h(
          "table",
          {},
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              h("th", { scope: "col" }, ""),
              h("th", { scope: "col" }, "transition"),
              h("th", { scope: "col" }, "what it waits for"),
            ),
          ),
          h("tbody", {}, ...rows),
        ),
      );
    }
    if (why.chain?.length) {
      page.push(
        h("h4", {}, "Who waits for whom"),
        h(
          "ul",
          { class: "ul-plain" },
          ...why.chain.map((link) => h("li", { style: `margin-left:${(link.depth ?? 0) + 0}em` }, link.sentence)),
        ),
      );
    }
    for (const circle of why.circles ?? [])
      page.push(h("p", { class: "ul-alert" }, `Circular wait: ${[...circle, circle[0]].join(" → ")}`));
    if (why.hints?.length)
      page.push(h("h4", {}, "What would let it go on"), h("ul", {}, ...why.hints.map((hint) => h("li", {}, hint))));
    return page;
  }

  saidPage() {
    return this.latest(
      (row) => row.n === this.store.agent && ["message", "inject", "push", "error"].includes(row.k),
      80,
      "No messages so far.",
    );
  }

  recordsPage() {
    const all = h("input", { type: "checkbox", "data-key": "all", onchange: () => this.set("everybody", all.checked) });
    const vain = h("input", { type: "checkbox", "data-key": "vain", onchange: () => this.set("vain", vain.checked) });
    all.checked = this.ui.everybody;
    vain.checked = this.ui.vain;
    const test = (row) =>
      (all.checked || row.n === this.store.agent) && (vain.checked || (row.k !== "attempt" && row.k !== "in-state"));
    return [
      h("p", { class: "ul-filters" }, h("label", {}, all, "all agents"), h("label", {}, vain, "attempts")),
      ...this.latest(test, 120, "No records so far."),
    ];
  }

  latest(test, most, nothing) {
    const { replay, cursor } = this.store;
    const found = [];
    for (let number = cursor.at - 1; number >= replay.from && found.length < most; number--)
      if (test(replay.row(number))) found.push(number);
    return [found.length ? this.records(found) : h("p", {}, nothing)];
  }

  records(numbers, plain = false) {
    const { replay, cursor } = this.store;
    const items = numbers.map((number) => {
      const tick = replay.tickOf(number)[0];
      const row = replay.row(number);
      const mark =
        row.k === "transition"
          ? "done"
          : row.k === "attempt"
            ? OUTCOMES[row.outcome]
            : row.k === "error"
              ? "raised"
              : null;
      const button = h(
        "button",
        {
          type: "button",
          "data-key": `record ${number}`,
          class: number === cursor.at - 1 ? "ul-now-here" : tick === cursor.tick ? "ul-same" : null,
          onclick: () => this.store.toRecord(number),
        },
        h("small", {}, String(tick)),
        mark ? signed(mark) : h("span", { class: "ul-blank" }),
        h("span", {}, row.x),
      );
      return h("li", {}, button);
    });
    return h("ol", { class: `ul-records${plain ? " ul-few" : ""}` }, ...items);
  }
}
