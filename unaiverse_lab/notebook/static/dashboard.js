// The dashboard of a world, drawn by plotly. The library is asked of the kernel once per page; until it is here, and
// where there is no kernel, the same values are seen in tables.

const SHARED = Symbol.for("unaiverse_lab.plotly");
const ASK_AGAIN = 4000; // milliseconds
const AFTER = 40; // milliseconds, so that what else has changed is on the screen first

const TEXTS = { overview: "Overview", statistics: "Statistics", tables: "Tables", charts: "Charts" };

const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** The library; never resolves where nobody hands it over. */
async function library(wire, isGone) {
  const shared = (globalThis[SHARED] ??= { plotly: null, asked: -ASK_AGAIN });
  while (!shared.plotly && !isGone()) {
    if (performance.now() - shared.asked >= ASK_AGAIN) {
      shared.asked = performance.now();
      wire.send({ kind: "library" });
    }
    await wait(50);
  }
  return shared.plotly;
}

async function take(buffer) {
  const shared = (globalThis[SHARED] ??= { plotly: null, asked: 0 });
  if (shared.plotly || shared.taking) return;
  shared.taking = true;
  const address = URL.createObjectURL(new Blob([buffer], { type: "text/javascript" }));
  try {
    await import(address);
    shared.plotly = globalThis.Plotly;
  } finally {
    shared.taking = false;
    URL.revokeObjectURL(address);
  }
}

const theme = () => (document.body.dataset.jpThemeLight === "false" ? "dark" : "light");

async function render({ model, el }) {
  const view = crypto.randomUUID?.() ?? String(Math.random());
  const root = document.createElement("div");
  root.className = "ul-dash";
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", "Dashboard of the world");
  const bar = root.appendChild(document.createElement("div"));
  bar.className = "ul-dash-bar";
  bar.setAttribute("role", "toolbar");
  bar.setAttribute("aria-label", "What the dashboard shows");
  const chart = root.appendChild(document.createElement("div"));
  chart.className = "ul-dash-chart";
  const words = root.appendChild(document.createElement("div"));
  words.className = "ul-dash-words";
  el.replaceChildren(root);

  let gone = false;
  let plotly = null;
  let inWords = false;
  let wire = null;
  const send = (message) => wire?.send(message);

  // No key pressed in here is one of the notebook's; Escape leads out of it.
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") event.stopPropagation();
  });

  function button(name, pressed, act) {
    const made = bar.appendChild(document.createElement("button"));
    made.type = "button";
    made.textContent = TEXTS[name];
    made.setAttribute("aria-pressed", String(pressed));
    made.addEventListener("click", act);
  }

  function drawBar() {
    const focused = [...bar.children].indexOf(document.activeElement);
    bar.replaceChildren();
    const pages = model.get("pages");
    if (pages.length > 1) {
      for (const page of pages) button(page, page === model.get("page"), () => send({ kind: "page", page }));
    }
    if (plotly) {
      button("tables", inWords, () => {
        inWords = !inWords;
        send({ kind: "words" });
        draw();
      });
    }
    bar.children[focused]?.focus();
  }

  let drawing = false;
  let again = false;
  async function draw() {
    const figure = model.get("figure");
    const canDraw = plotly && figure?.data;
    chart.hidden = !canDraw || inWords;
    words.hidden = !chart.hidden;
    drawBar();
    if (!words.hidden) words.innerHTML = model.get("words");
    if (chart.hidden) return;
    if (drawing) {
      again = true;
      return;
    }
    drawing = true;
    do {
      again = false;
      const { data, layout } = structuredClone(model.get("figure"));
      layout.autosize = true;
      layout.uirevision = model.get("page");
      try {
        await plotly.react(chart, data, layout, { responsive: true, displaylogo: false });
      } catch (error) {
        console.error("unaiverse_lab: the figure cannot be drawn", error);
      }
      root.dataset.drawn = String(Number(root.dataset.drawn ?? 0) + 1);
    } while (again && !gone);
    drawing = false;
  }

  // Drawing takes a while: it waits until the page has nothing better to do, and until somebody can see it.
  let planned = false;
  let visible = true;
  let missed = false;
  function changed() {
    missed = !visible;
    if (planned || missed) return;
    planned = true;
    const soon = globalThis.requestIdleCallback ?? ((act) => setTimeout(act, 50));
    setTimeout(() => soon(() => {
      planned = false;
      if (!gone) draw();
    }, { timeout: 300 }), AFTER);
  }
  const eye = new IntersectionObserver((entries) => {
    visible = entries[entries.length - 1].isIntersecting;
    if (visible && missed) changed();
  });
  eye.observe(root);
  for (const trait of ["figure", "words", "pages", "page"]) model.on(`change:${trait}`, changed);

  const heard = (message, buffers) => {
    if (message?.kind === "library" && buffers?.length) take(buffers[0]);
  };
  const observer = new MutationObserver(() => send({ kind: "theme", theme: theme() }));
  draw();
  (async () => {
    wire = await model.widget_manager.get_model(model.get("wire").slice("IPY_MODEL_".length));
    if (!wire.comm_live || gone) {
      wire = null;
      return;
    }
    wire.on("msg:custom", heard);
    send({ kind: "theme", theme: theme() });
    send({ kind: "hello", view });
    observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    plotly = await library(wire, () => gone);
    if (!gone) draw();
  })().catch((error) => console.error("unaiverse_lab: the dashboard has lost its kernel", error));

  return () => {
    gone = true;
    observer.disconnect();
    eye.disconnect();
    for (const trait of ["figure", "words", "pages", "page"]) model.off(`change:${trait}`, changed);
    wire?.off("msg:custom", heard);
    send({ kind: "bye", view });
    if (plotly) plotly.purge(chart);
  };
}

export default { render };
