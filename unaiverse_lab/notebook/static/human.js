// A person in a world: what reached them, a line to type, a button for each thing their agent waits to be asked for.

const TEXTS = {
  line: "What to say",
  send: "Send",
  talk: "What was said",
  choices: "What can be done now",
  nothing: "Nothing was said yet.",
  offline: "No kernel: this is what was said.",
};

function make(kind, name, parent) {
  const made = parent.appendChild(document.createElement(kind));
  made.className = `ul-human-${name}`;
  return made;
}

async function render({ model, el }) {
  const view = crypto.randomUUID?.() ?? String(Math.random());
  const root = document.createElement("div");
  root.className = "ul-human";
  root.setAttribute("role", "group");
  const head = make("div", "head", root);
  const talk = make("div", "talk", root);
  talk.setAttribute("role", "log");
  talk.setAttribute("aria-label", TEXTS.talk);
  talk.tabIndex = 0;
  const choices = make("div", "choices", root);
  choices.setAttribute("role", "group");
  choices.setAttribute("aria-label", TEXTS.choices);
  const form = make("form", "form", root);
  const line = make("input", "line", form);
  line.type = "text";
  line.setAttribute("aria-label", TEXTS.line);
  line.placeholder = TEXTS.line;
  line.autocomplete = "off";
  const button = make("button", "send", form);
  button.type = "submit";
  button.textContent = TEXTS.send;
  const problem = make("div", "problem", root);
  problem.setAttribute("role", "alert");
  el.replaceChildren(root);

  let wire = null;
  let gone = false;

  // No key pressed in here is one of the notebook's; Escape leads out of it.
  root.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") event.stopPropagation();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = line.value.trim();
    if (!text || !wire) return;
    wire.send({ kind: "say", text });
    line.value = "";
    line.focus();
  });

  function draw() {
    const name = model.get("name");
    root.setAttribute("aria-label", name);
    head.textContent = `${name}: ${model.get("state")}`;
    const atEnd = talk.scrollTop + talk.clientHeight >= talk.scrollHeight - 8;
    talk.replaceChildren();
    for (const [when, who, text] of model.get("talk")) {
      const row = make("div", "row", talk);
      if (who.startsWith("you")) row.classList.add("ul-human-mine");
      make("span", "when", row).textContent = when;
      make("span", "who", row).textContent = who;
      make("span", "text", row).textContent = text;
    }
    if (!talk.children.length) talk.textContent = TEXTS.nothing;
    if (atEnd) talk.scrollTop = talk.scrollHeight;
    const focused = [...choices.children].indexOf(document.activeElement);
    choices.replaceChildren();
    for (const { action, source, target, args } of model.get("choices")) {
      const choice = make("button", "choice", choices);
      choice.type = "button";
      choice.textContent = target === source ? action : `${action} → ${target}`;
      choice.title = `${action}(${args})`;
      choice.disabled = !wire;
      choice.addEventListener("click", () => wire?.send({ kind: "ask", action, source, target }));
    }
    choices.children[Math.min(focused, choices.children.length - 1)]?.focus();
    line.disabled = button.disabled = !wire;
    problem.textContent = model.get("problem") || (wire ? "" : TEXTS.offline);
  }

  let planned = false;
  function changed() {
    if (planned) return;
    planned = true;
    requestAnimationFrame(() => {
      planned = false;
      if (!gone) draw();
    });
  }
  const traits = ["name", "state", "talk", "choices", "problem"];
  for (const trait of traits) model.on(`change:${trait}`, changed);
  draw();
  (async () => {
    const found = await model.widget_manager.get_model(model.get("wire").slice("IPY_MODEL_".length));
    if (!found.comm_live || gone) return;
    wire = found;
    wire.send({ kind: "hello", view });
    draw();
  })().catch((error) => console.error("unaiverse_lab: the panel has lost its kernel", error));

  return () => {
    gone = true;
    for (const trait of traits) model.off(`change:${trait}`, changed);
    wire?.send({ kind: "bye", view });
  };
}

export default { render };
