// The desk in the browser: relative times, keys, the theme, selection, and questions before what cannot be undone.
(() => {
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // Times

  function relative(at) {
    const seconds = (Date.now() - at) / 1000, size = Math.abs(seconds);
    const [value, unit] =
      size < 1 ? ["now", ""] : size < 90 ? [Math.round(size), "s"] : size < 5400 ? [Math.round(size / 60), "min"]
      : size < 129600 ? [Math.round(size / 3600), "h"] : [Math.round(size / 86400), "d"];
    return value === "now" ? "now" : seconds < 0 ? `in ${value} ${unit}` : `${value} ${unit} ago`;
  }
  function tick() {
    for (const time of all("time[datetime]")) {
      const at = new Date(time.dateTime), text = relative(at);
      if (time.textContent !== text) time.textContent = text;
      if (!time.title) time.title = at.toLocaleString();
    }
  }
  setInterval(tick, 1000);

  // The theme

  const THEMES = ["system", "light", "dark"];
  function setTheme(theme) {
    root.dataset.theme = theme;
    localStorage.setItem("desk-theme", theme);
    say(`Theme: ${theme}`);
  }
  const nextTheme = () => setTheme(THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % 3]);

  // Acting

  const tell = (wish) => emitEvent("desk", wish);
  function send(button, more = {}) {
    tell({ act: button.dataset.act, arg: button.dataset.arg || "", ids: button.dataset.ids ? [...chosen] : [], ...more });
  }
  function dialog(build, done) {
    const box = Object.assign(document.createElement("dialog"), { className: "ask" });
    const form = Object.assign(document.createElement("form"), { method: "dialog" });
    box.append(form);
    build(form);
    box.addEventListener("close", () => {
      box.remove();
      if (box.returnValue === "ok" && done) done(form);
    });
    document.body.append(box);
    box.showModal();
    return box;
  }
  function text(parent, tag, content, className = "") {
    parent.append(Object.assign(document.createElement(tag), { textContent: content, className }));
    return parent.lastChild;
  }
  function buttons(form, ok, danger) {
    const row = text(form, "div", "", "row");
    text(row, "button", "Cancel").value = "cancel";
    const yes = text(row, "button", ok, `act ${danger ? "danger" : "main"}`);
    yes.value = "ok";
    return yes;
  }
  const danger = (label) => /purge|delete|cancel/i.test(label);
  function ask({ text: question, ok, ...wish }) {
    dialog(
      (form) => { text(form, "p", question); setTimeout(() => buttons(form, ok, danger(ok)).focus()); },
      () => tell(wish),
    );
  }
  function edit(button) {
    const { edit: content, title, ok, lines } = button.dataset;
    dialog(
      (form) => {
        text(form, "h2", title);
        if (button.dataset.hint) text(form, "p", button.dataset.hint, "hint");
        const field = document.createElement(lines ? "textarea" : "input");
        Object.assign(field, { name: "value", value: content, spellcheck: false, autocomplete: "off" });
        if (lines) field.rows = Math.min(20, Math.max(5, content.split("\n").length + 1));
        field.setAttribute("aria-label", title);
        form.append(field);
        field.addEventListener("keydown", (event) => {
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.closest("dialog").close("ok");
        });
        const yes = buttons(form, ok, false);
        // Enter in the field means yes, not the first button.
        if (!lines) field.addEventListener("keydown", (event) => {
          if (event.key === "Enter") { event.preventDefault(); yes.click(); }
        });
        setTimeout(() => field.focus());
      },
      (form) => send(button, { value: form.elements.value.value }),
    );
  }

  // Selection: kept here, because rows are drawn anew when they change

  const chosen = new Set();
  let last = null;
  function showChosen() {
    for (const box of all("input[data-id]")) box.checked = chosen.has(box.dataset.id);
    const boxes = all("input[data-id]"), whole = document.querySelector("input[data-all]");
    if (whole) {
      whole.checked = boxes.length > 0 && boxes.every((box) => box.checked);
      whole.indeterminate = !whole.checked && boxes.some((box) => box.checked);
    }
    for (const bulk of all(".bulk")) {
      bulk.classList.toggle("some", chosen.size > 0);
      const label = bulk.querySelector(".chosen");
      if (label) label.textContent = chosen.size ? `${chosen.size} selected` : "";
    }
  }
  function choose(box, range) {
    const boxes = all("input[data-id]"), here = boxes.indexOf(box);
    const from = range && last ? boxes.findIndex((each) => each.dataset.id === last) : here;
    const [low, high] = from < 0 ? [here, here] : [Math.min(from, here), Math.max(from, here)];
    for (const each of boxes.slice(low, high + 1)) chosen[box.checked ? "add" : "delete"](each.dataset.id);
    last = box.dataset.id;
    showChosen();
  }

  document.addEventListener("click", (event) => {
    const target = event.target;
    if (target.matches("input[data-id]")) return choose(target, event.shiftKey);
    if (target.matches("input[data-all]")) {
      for (const box of all("input[data-id]")) chosen[target.checked ? "add" : "delete"](box.dataset.id);
      return showChosen();
    }
    const button = target.closest("button");
    if (!button) return;
    if ("themeSwitch" in button.dataset) nextTheme();
    else if ("help" in button.dataset) help();
    else if ("copy" in button.dataset) { navigator.clipboard?.writeText(button.dataset.copy); say("Copied"); }
    else if (button.dataset.edit !== undefined) edit(button);
    else if (button.dataset.confirm) ask({ text: button.dataset.confirm, ok: button.textContent, act: button.dataset.act, arg: button.dataset.arg || "", ids: [] });
    else if (button.dataset.act) send(button);
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-sends]")) event.target.form.requestSubmit();
  });

  // Keys

  const ROOMS = { o: "", r: "runs", q: "queues", s: "schedules", d: "dead", w: "workers", l: "logs", a: "audit" };
  const KEYS = [
    ["/", "Search runs"], ["g o", "Overview"], ["g r", "Runs"], ["g q", "Queues"], ["g s", "Schedules"], ["g d", "Dead letters"],
    ["g w", "Workers"], ["g l", "Logs"], ["g a", "Audit"], ["j  k", "Next and previous row"], ["Enter", "Open the row"],
    ["x", "Select the row"], ["t", "Theme: system, light, dark"], ["?", "This help"], ["Esc", "Close; leave the search"],
  ];
  let going = 0;
  function help() {
    if (document.querySelector("dialog.ask")) return;
    dialog((form) => {
      text(form, "h2", "Keyboard shortcuts");
      const list = text(form, "dl", "", "keys");
      for (const [key, what] of KEYS) { text(text(list, "dt", ""), "kbd", key); text(list, "dd", what); }
      text(text(form, "div", "", "row"), "button", "Close").value = "cancel";
    });
  }
  function move(by) {
    const rows = all("main tbody tr"), at = rows.findIndex((row) => row.classList.contains("here"));
    const next = rows[Math.max(0, Math.min(rows.length - 1, at < 0 ? 0 : at + by))];
    rows.forEach((row) => row.classList.toggle("here", row === next));
    next?.scrollIntoView({ block: "nearest" });
  }
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches?.("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape" && typing) event.target.blur();
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const here = document.querySelector("main tr.here");
    if (going && Date.now() - going < 1500 && event.key in ROOMS) location.href = `/desk/${ROOMS[event.key]}`;
    else if (event.key === "g") { going = Date.now(); return; }
    else if (event.key === "/") document.querySelector(".search input")?.focus();
    else if (event.key === "?") help();
    else if (event.key === "t") nextTheme();
    else if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
    else if (event.key === "Enter" && here) here.querySelector("a[href]")?.click();
    else if (event.key === "x" && here) here.querySelector("input[data-id]")?.click();
    else return;
    going = 0;
    event.preventDefault();
  });

  // A line for a moment

  let saying;
  function say(content) {
    const line = document.querySelector(".said") || text(document.body, "div", "", "said");
    line.textContent = content;
    line.classList.add("on");
    clearTimeout(saying);
    saying = setTimeout(() => line.classList.remove("on"), 1500);
  }

  // What was drawn anew is dressed again. Folded parts stay as they were left.

  const folded = new Map();
  document.addEventListener("toggle", (event) => {
    const key = event.target.dataset?.fold;
    if (key) folded.set(key, event.target.open);
  }, true);
  function dress() {
    tick();
    showChosen();
    const room = document.querySelector(".desk")?.dataset.room;
    for (const link of all(".rail a.room")) link.toggleAttribute("aria-current", link.dataset.room === room);
    for (const part of all("details[data-fold]")) if (folded.has(part.dataset.fold)) part.open = folded.get(part.dataset.fold);
  }
  function watch() {
    let asked = false;
    new MutationObserver(() => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => { asked = false; dress(); });
    }).observe(document.body, { childList: true, subtree: true });
    dress();
  }
  if (document.body) watch(); else document.addEventListener("DOMContentLoaded", watch);
  window.desk = { ask, clear() { chosen.clear(); showChosen(); } };
})();
