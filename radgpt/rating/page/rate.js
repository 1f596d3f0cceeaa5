// What the rater does, from keys and buttons to the server and back.

import * as api from "./api.js";
import { NONE, answerNodes, conversationNodes, legendNodes, letter } from "./panes.js";
import { element } from "./texts.js";

const at = (id) => document.getElementById(id);

let rubric = null;
let status = null;
let question = null;
let mark = null;
let turn = Promise.resolve();
let typed = Promise.resolve();
let pending = 0;

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

// Run one thing after the other: whoever clicks fast loses nothing.
function alone(work) {
  turn = turn.then(work).then(
    () => trouble(null),
    (error) => trouble(error instanceof api.Trouble ? error.message : `The page met an error: ${error.name}. Reload it; what you gave is kept.`),
  );
  return turn;
}

function told(next) {
  status = next;
  at("complete-bar").max = Math.max(status.questions, 1);
  at("complete-bar").value = status.complete;
  at("complete-text").textContent = `${status.complete} of ${status.questions} complete`;
  document.title = `Rating · ${status.complete} of ${status.questions}`;
  at("undo").disabled = !status.undoable;
  at("where").textContent = `Ratings stand in ${status.file}, as given by ${status.rater}.`;
}

// All places where a score goes, in the order in which they are filled in.
const places = () => question.answers.flatMap((_, answer) => rubric.criteria.map(({ name }) => ({ answer, criterion: name })));
const sameMark = (one, other) => one !== null && one.answer === other.answer && one.criterion === other.criterion;

function openMark(after) {
  const all = places();
  const from = after === null ? 0 : all.findIndex((place) => sameMark(after, place)) + 1;
  const isOpen = ({ answer, criterion }) => question.answers[answer].scores[criterion] === null;
  return [...all.slice(from), ...all.slice(0, from)].find(isOpen) ?? after ?? all[0];
}

function draw() {
  at("conversation").replaceChildren(...conversationNodes(question));
  drawAnswers();
  at("conversation").scrollTop = 0;
  at("answers").scrollTop = 0;
}

function drawAnswers() {
  const held = document.activeElement?.getAttribute("aria-label");
  at("answers").replaceChildren(...answerNodes(question, rubric, mark, { grade, prefer, mark: moveTo }));
  // A button that was pressed is made anew: give the focus back to it.
  if (held) [...at("answers").querySelectorAll("button")].find((button) => button.getAttribute("aria-label") === held)?.focus({ preventScroll: true });
  at("legend").replaceChildren(...legendNodes(rubric.criteria.find(({ name }) => name === mark?.criterion)));
  at("back").disabled = question.number <= 0;
  at("on").disabled = question.number >= status.questions - 1;
  at("next").classList.toggle("ready", question.complete && status.complete < status.questions);
  at("next").disabled = status.complete >= status.questions;
}

function moveTo(answer, criterion) {
  mark = { answer, criterion };
  drawAnswers();
}

function moveBy(steps) {
  const all = places();
  const here = all.findIndex((place) => sameMark(mark, place));
  const next = all[Math.min(Math.max(here + steps, 0), all.length - 1)];
  moveTo(next.answer, next.criterion);
  at("answers").querySelector(".scale.marked")?.scrollIntoView({ block: "nearest" });
}

async function show(number) {
  question = await api.question(number);
  mark = openMark(null);
  draw();
  at("answers").focus({ preventScroll: true });
  scrollTo(0, 0);
}

function go(steps) {
  return alone(() => {
    const number = question.number + steps;
    if (number < 0 || number >= status.questions) return say(steps < 0 ? "This is the first question." : "This is the last question.");
    return show(number);
  });
}

function goOn() {
  return alone(() => (status.complete >= status.questions ? say("All questions are complete.") : show(question.next)));
}

// Gives whether the question that was rated is still the one shown.
function keep(answered) {
  told(answered.status);
  const same = answered.number === question.number;
  if (same) question = answered.question;
  if (status.complete >= status.questions) say("All questions are complete. Thank you.");
  return same;
}

function grade(answer, criterion, score) {
  const { number, sha256 } = question;
  return alone(async () => {
    if (!keep(await api.grade({ number, sha256, answer, criterion, score }))) return;
    mark = score === null ? { answer, criterion } : openMark({ answer, criterion });
    drawAnswers();
    at("answers").querySelector(".scale.marked")?.scrollIntoView({ block: "nearest" });
  });
}

function prefer(answer) {
  const { number, sha256 } = question;
  return alone(async () => {
    if (keep(await api.prefer({ number, sha256, answer }))) drawAnswers();
  });
}

function undo() {
  return alone(async () => {
    const back = await api.undo();
    told(back.status);
    if (back.number === null) return say("There is nothing left to take back.");
    const same = back.number === question.number;
    question = back.question;
    mark = openMark(null);
    if (same) drawAnswers();
    else draw();
    return say("Taken back.");
  });
}

const KEYS = {
  u: undo,
  j: () => go(1),
  k: () => go(-1),
  ArrowRight: () => go(1),
  ArrowLeft: () => go(-1),
  ArrowDown: () => moveBy(1),
  ArrowUp: () => moveBy(-1),
  Enter: goOn,
  Delete: () => mark && grade(mark.answer, mark.criterion, null),
  Backspace: () => mark && grade(mark.answer, mark.criterion, null),
  "?": () => at("help").showModal(),
};
const HELD = new Set(["j", "k", "ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight"]);

function actionOf(name) {
  if (/^[0-9]$/.test(name)) {
    const levels = rubric.criteria.find((criterion) => criterion.name === mark?.criterion)?.levels ?? [];
    if (levels.some(([score]) => score === Number(name))) return () => grade(mark.answer, mark.criterion, Number(name));
    return name === "0" && question.answers.length > 1 ? () => prefer(NONE) : null;
  }
  if (Object.hasOwn(KEYS, name)) return KEYS[name];
  const place = /^[a-z]$/.test(name) ? name.charCodeAt(0) - 97 : -1;
  return question.answers.length > 1 && place >= 0 && place < question.answers.length ? () => prefer(place) : null;
}

function key(event) {
  if (question === null || at("help").open || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, summary") || (event.key === "Enter" && event.target.closest("button"))) return;
  if (event.key.startsWith("Arrow") && event.target.closest("[data-scrolls]")) return;
  if (event.key.length === 1 && !at("single-keys").checked && event.key !== "?") return;
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const action = actionOf(name);
  if (!action || (event.repeat && !HELD.has(name))) return;
  event.preventDefault();
  // A key means what it means once those before it have acted; one held down does not run ahead.
  if (event.repeat && pending) return;
  pending += 1;
  typed = typed.then(() => actionOf(name)?.()).finally(() => (pending -= 1));
}

function keysNamed() {
  const between = (first, last) => (first === last ? [element("kbd", {}, first)] : [element("kbd", {}, first), " – ", element("kbd", {}, last)]);
  const levels = rubric.criteria[0].levels.map(([score]) => String(score));
  at("digits").append(...between(levels[0], levels.at(-1)));
  at("letters").append(...between("A", letter(Math.max(question.answers.length - 1, 1))));
}

document.addEventListener("keydown", key);
at("undo").addEventListener("click", undo);
at("back").addEventListener("click", () => go(-1));
at("on").addEventListener("click", () => go(1));
at("next").addEventListener("click", goOn);
at("open-help").addEventListener("click", () => at("help").showModal());

await alone(async () => {
  const opened = await api.opened();
  rubric = opened.rubric;
  told(opened.status);
  await show(opened.start);
  keysNamed();
});
