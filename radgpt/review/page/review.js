// What the reviewer does, from keys and buttons to the server and back.

import * as api from "./api.js";
import { DONE, fillSelect, grow, nothingNodes, number, pairNodes, reportPane, rowNodes } from "./panes.js";
import { wording } from "./texts.js";

const PAGE = 50;
const POLL = 1000;
const TYPING = 350;
const at = (id) => document.getElementById(id);

const filters = { state: "any", outcome: "any", task: "any", problems: false, search: "" };
let view = null;
let total = 0;
let position = 0;
let current = null;
let pageStart = 0;
let rows = [];
let detail = null;
let status = null;
let busy = false;
let asked = 0;
let touched = false;
let pointed = false;
const draftsOf = new Map();

function drafts() {
  if (!draftsOf.has(current)) draftsOf.set(current, { note: null, edit: null });
  return draftsOf.get(current);
}

function say(message) {
  at("said").textContent = message;
  at("said").classList.add("shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => at("said").classList.remove("shown"), 2500);
}

function trouble(message) {
  at("trouble").textContent = message ?? "";
  at("trouble").hidden = !message;
}

// Run one thing at a time; a key held down or a second click does nothing until the first is done.
async function alone(work) {
  if (busy) return;
  busy = true;
  try {
    await work();
    trouble(null);
  } catch (error) {
    if (error instanceof api.Trouble && error.status === 404 && view !== null) {
      busy = false;
      await openView();
      return;
    }
    trouble(error instanceof api.Trouble ? error.message : `The page met an error: ${error.name}. Reload it; what you decided is kept.`);
  } finally {
    busy = false;
  }
}

function told(next) {
  status = next;
  const { decided, expected, finished, phase, judged } = status;
  at("decided-bar").max = Math.max(expected, 1);
  at("decided-bar").value = decided;
  at("decided-text").textContent = `${number(decided)} of ${number(expected)} decided`;
  document.title = `Review · ${number(decided)} of ${number(expected)}`;
  at("judging").hidden = finished;
  at("judging").textContent = phase === "judging" ? `checking answers: ${number(judged)} so far` : "reading the reports…";
  at("undo").disabled = !status.undoable;
  const states = status.states;
  fillSelect(at("state"), [
    ["any", `Any (${number(judged)})`],
    ["undecided", `Undecided (${number(states.undecided)})`],
    ["decided", `Decided (${number(decided)})`],
    ...["accept", "reject", "edit"].map((state) => [state, `${DONE[state]} (${number(states[state])})`]),
  ]);
  const dropped = judged - status.kept;
  fillSelect(at("outcome"), [
    ["any", "Keep or drop"],
    ["kept", `Keep (${number(status.kept)})`],
    ["dropped", `Drop (${number(dropped)})`],
    ...Object.entries(status.reasons).map(([reason, times]) => [`dropped:${reason}`, `Drop: ${wording(reason)} (${number(times)})`]),
  ]);
  fillSelect(at("task"), [["any", "All tasks"], ...Object.entries(status.tasks).map(([task, times]) => [task, `${wording(task)} (${number(times)})`])]);
  at("problems-label").textContent = `With problems (${number(status.problems)})`;
  at("where").textContent = `Decisions stand in ${status.file}${status.reviewer ? `, as made by ${status.reviewer}` : ""}.`;
}

function openView() {
  return alone(async () => {
    const opened = await api.openView({ ...filters });
    view = opened.view;
    told(await api.status());
    await show(opened.start);
  });
}

async function show(place, chosen = null) {
  const mine = ++asked;
  const start = Math.floor(place / PAGE) * PAGE;
  const page = await api.page(view, start, PAGE);
  if (mine !== asked) return;
  total = page.total;
  if (place >= total && total > 0) return show(total - 1);
  position = place;
  pageStart = start;
  rows = page.rows;
  current = chosen ?? rows[place - start]?.number ?? null;
  detail = current === null ? null : await api.answer(current);
  if (mine === asked) draw();
}

function draw() {
  drawList();
  for (const id of ["accept", "reject", "edit"]) at(id).disabled = detail === null || Boolean(drafts().edit);
  at("back").disabled = position <= 0;
  at("on").disabled = position >= total - 1;
  if (detail === null) {
    at("pair").replaceChildren(...nothingNodes(status?.finished, showAll));
    at("report").replaceChildren();
    delete at("report").dataset.id;
    return;
  }
  at("pair").replaceChildren(...pairNodes(detail, current, drafts(), { turn, saveEdit, leaveEdit, saveNote }));
  at("pair").querySelectorAll("textarea").forEach(grow);
  const report = detail.report.report_id;
  const same = at("report").dataset.id === report;
  at("report").replaceChildren(...reportPane(detail));
  at("report").dataset.id = report;
  if (!same) at("report").scrollTop = 0;
  const active = at("pair").querySelector(".turn.active");
  if (detail.turns.length > 1) active.scrollIntoView({ block: "nearest" });
  else at("pair").scrollTop = 0;
}

function drawList() {
  at("rows").replaceChildren(...rowNodes(rows, pageStart, current, (place) => alone(() => show(place))));
  at("rows").start = pageStart + 1;
  at("rows").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  at("page-text").textContent = total ? `${number(pageStart + 1)}–${number(pageStart + rows.length)} of ${number(total)}` : "";
  at("page-back").disabled = pageStart === 0;
  at("page-on").disabled = pageStart + PAGE >= total;
}

function go(steps) {
  const place = position + steps;
  if (place < 0 || place >= total) return say(steps < 0 ? "This is the first answer." : "This is the last answer.");
  return alone(async () => {
    await show(place);
    at("pair").focus({ preventScroll: true });
  });
}

function turn(chosen) {
  const place = rows.findIndex((row) => row.number === chosen);
  return alone(() => show(place < 0 ? position : pageStart + place, chosen));
}

const shown = () => detail.turns.find((one) => one.number === current);

function decide(decision, texts = { instruction: null, answer: null }, stay = false) {
  if (detail === null) return undefined;
  return alone(async () => {
    const pair = shown();
    const note = drafts().note ?? pair.decision?.note ?? "";
    const kept = await api.decide({ view, position, number: current, judged_sha256: pair.judged_sha256, decision, ...texts, note });
    draftsOf.delete(current);
    told(kept.status);
    const next = stay ? position : (kept.next ?? position);
    await show(next, stay ? current : null);
    if (!stay) at("pair").focus({ preventScroll: true });
    say(kept.next === null && !stay ? `${DONE[decision]}. All answers of this list are decided.` : `${DONE[decision]}: ${pair.id}`);
  });
}

function startEdit() {
  if (detail === null || busy) return;
  const { instruction, answer, decision } = shown();
  drafts().edit = { instruction: decision?.instruction ?? instruction, answer: decision?.answer ?? answer };
  draw();
  at("edit-answer").focus();
}

function leaveEdit() {
  drafts().edit = null;
  draw();
  at("pair").focus({ preventScroll: true });
}

function saveEdit() {
  const edit = drafts().edit;
  const { instruction, answer, decision } = shown();
  const before = decision?.decision === "edit" ? decision : { instruction, answer };
  if (edit.instruction === before.instruction && edit.answer === before.answer) return say("Nothing is changed.");
  if (edit.instruction === instruction && edit.answer === answer) return decide("accept");
  return decide("edit", { ...edit });
}

function saveNote() {
  const { decision } = shown();
  return decide(decision.decision, { instruction: decision.instruction, answer: decision.answer }, true);
}

function undo() {
  return alone(async () => {
    const back = await api.undo(view);
    told(back.status);
    if (back.number === null) return say("There is nothing left to take back.");
    if (back.place === null) {
      // The answer is not in this list: show all, where its place is its number.
      setFilters({ state: "any", outcome: "any", task: "any", problems: false, search: "" });
      view = (await api.openView({ ...filters })).view;
    }
    await show(back.place ?? back.number);
    return say(`Taken back: ${shown().id}`);
  });
}

function setFilters(next) {
  Object.assign(filters, next);
  for (const id of ["state", "outcome", "task", "search"]) at(id).value = filters[id];
  at("problems").checked = filters.problems;
}

function showAll() {
  setFilters({ state: "any", outcome: "any", task: "any", problems: false, search: "" });
  return openView();
}

function readFilters() {
  clearTimeout(readFilters.timer);
  const next = { problems: at("problems").checked, search: at("search").value.trim() };
  for (const id of ["state", "outcome", "task"]) next[id] = at(id).value;
  if (Object.entries(next).every(([name, value]) => filters[name] === value)) return;
  if (busy) {
    readFilters.timer = setTimeout(readFilters, 50);
    return;
  }
  Object.assign(filters, next);
  openView();
}

// Evidence: what belongs together lights up together.
function light(links, from = null) {
  const wanted = new Set(links);
  for (const mark of document.querySelectorAll("mark[data-links]")) {
    mark.classList.toggle("lit", mark.dataset.links.split(" ").some((link) => wanted.has(link)));
  }
  if (from === null || !wanted.size) return;
  const other = from.closest("#report") ? at("pair") : at("report");
  const pane = document.querySelector(".panes");
  // Where panes are stacked, scrolling to the other one would take away what is pointed at.
  if (getComputedStyle(pane).display === "grid") other.querySelector("mark.lit")?.scrollIntoView({ block: "nearest" });
}

const linksOf = (target) => target.closest?.("mark[data-links]")?.dataset.links.split(" ") ?? [];

function lightSelection() {
  const selection = document.getSelection();
  if (!selection || selection.isCollapsed || !selection.rangeCount) return;
  const range = selection.getRangeAt(0);
  const marks = [...document.querySelectorAll("mark[data-links]")].filter((mark) => range.intersectsNode(mark));
  light(marks.flatMap(linksOf), marks[0] ?? null);
}

function walkEvidence(steps) {
  const marks = [...document.querySelectorAll("#pair mark[tabindex]")];
  if (!marks.length) return say("No evidence is marked here.");
  const here = marks.indexOf(document.activeElement);
  const next = here < 0 ? (steps > 0 ? 0 : marks.length - 1) : (here + steps + marks.length) % marks.length;
  return marks[next].focus();
}

const KEYS = {
  a: () => decide("accept"),
  r: () => decide("reject"),
  e: startEdit,
  u: undo,
  j: () => go(1),
  k: () => go(-1),
  ArrowDown: () => go(1),
  ArrowRight: () => go(1),
  ArrowUp: () => go(-1),
  ArrowLeft: () => go(-1),
  n: () => at("note")?.focus(),
  "/": () => {
    openList(true);
    at("search").focus();
  },
  "?": () => at("help").showModal(),
  "]": () => walkEvidence(1),
  "[": () => walkEvidence(-1),
};
const HELD = new Set(["j", "k", "ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "[", "]"]);

function key(event) {
  const field = event.target.closest("textarea, select, input:not([type=checkbox])");
  if (event.target.closest("#pair textarea") && drafts().edit && event.target.id !== "note") {
    if (event.key === "Escape") leaveEdit();
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) saveEdit();
    return;
  }
  if (field?.id === "note" && event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    if (!at("save-note").hidden) saveNote();
    field.blur();
    return;
  }
  if (field && event.key === "Escape") field.blur();
  if (field || at("help").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action || (event.repeat && !HELD.has(event.key))) return;
  if (event.key.startsWith("Arrow") && event.target.closest("[data-scrolls]")) return;
  if (event.key.length === 1 && !at("single-keys").checked && event.key !== "?") return;
  if (drafts().edit && "areu".includes(event.key.toLowerCase())) return;
  event.preventDefault();
  action();
}

function openList(open) {
  document.body.classList.toggle("list-open", open);
  at("toggle-list").setAttribute("aria-expanded", String(open));
}

async function poll() {
  try {
    told(await api.status());
    const page = view === null ? null : await api.page(view, pageStart, PAGE);
    if (page && (page.total !== total || page.rows.length !== rows.length)) {
      total = page.total;
      rows = page.rows;
      // Until the reviewer does something, the page may still move to where they left off.
      if (!touched && !busy && total && (detail === null || shown().decision)) await openView();
      else drawList();
      at("on").disabled = position >= total - 1;
    }
  } catch (error) {
    if (error instanceof api.Trouble && error.status !== 404) trouble(error.message);
  }
  if (status?.finished && detail === null && view !== null) draw();
  if (!status?.finished) setTimeout(poll, POLL);
}

document.addEventListener("keydown", key);
for (const kind of ["keydown", "pointerdown"]) {
  document.addEventListener(kind, () => {
    touched = true;
    pointed = kind === "pointerdown";
  });
}
document.addEventListener("pointerover", (event) => {
  if (document.getSelection()?.isCollapsed ?? true) light(linksOf(event.target), event.target);
});
document.addEventListener("focusin", (event) => light(linksOf(event.target), event.target));
document.addEventListener("selectionchange", lightSelection);
at("filters").addEventListener("submit", (event) => event.preventDefault());
at("filters").addEventListener("change", (event) => {
  // Chosen by hand, a list gives the keys back; chosen by keys, it keeps them.
  if (pointed && event.target.matches("select")) event.target.blur();
  readFilters();
});
at("search").addEventListener("input", () => {
  clearTimeout(readFilters.timer);
  readFilters.timer = setTimeout(readFilters, TYPING);
});
at("accept").addEventListener("click", () => decide("accept"));
at("reject").addEventListener("click", () => decide("reject"));
at("edit").addEventListener("click", startEdit);
at("undo").addEventListener("click", undo);
at("back").addEventListener("click", () => go(-1));
at("on").addEventListener("click", () => go(1));
at("page-back").addEventListener("click", () => alone(() => show(Math.max(pageStart - PAGE, 0))));
at("page-on").addEventListener("click", () => alone(() => show(pageStart + PAGE)));
at("open-help").addEventListener("click", () => at("help").showModal());
at("toggle-list").addEventListener("click", () => openList(!document.body.classList.contains("list-open")));

await openView();
await poll();
