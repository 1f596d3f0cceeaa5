// Lay out the list, the pair and the report.

import { marked, reportNodes } from "./report.js";
import { characters, element, wording } from "./texts.js";

export const SIGNS = { undecided: "○", accept: "✓", reject: "✕", edit: "✎" };
export const DONE = { undecided: "undecided", accept: "accepted", reject: "rejected", edit: "edited" };

// Some browsers send what is typed away to have its spelling checked, or keep it to suggest it again.
const PRIVATE = { spellcheck: "false", autocomplete: "off", autocorrect: "off" };

export const number = (value) => value.toLocaleString("en-US");

export function rowNodes(rows, start, current, choose) {
  return rows.map((row, place) =>
    element(
      "li",
      {},
      element(
        "button",
        {
          type: "button",
          class: `row ${row.state}`,
          "aria-current": row.number === current ? "true" : null,
          "data-number": row.number,
          onclick: () => choose(start + place),
        },
        element("span", { class: "sign", role: "img", "aria-label": DONE[row.state] }, SIGNS[row.state]),
        element("span", { class: "row-text" }, row.instruction || "(no instruction)"),
        element(
          "span",
          { class: "row-more" },
          element("span", {}, wording(row.task)),
          row.reason ? element("span", { class: "dropped" }, wording(row.reason)) : null,
          row.problems ? element("span", { class: "wrong" }, row.problems === 1 ? "1 problem" : `${row.problems} problems`) : null,
        ),
      ),
    ),
  );
}

export function nothingNodes(finished, showAll) {
  return [
    element("h2", { id: "pair-title" }, finished ? "No answer fits these filters" : "No answer that fits has been checked yet"),
    element("p", { class: "nothing" }, element("button", { type: "button", onclick: showAll }, "Show all answers")),
  ];
}

// Evidence is numbered over the whole conversation: `first` is what the turns before this one have used.
export function pairNodes(detail, current, drafts, handlers) {
  const turns = detail.turns;
  const nodes = [];
  let first = 0;
  turns.forEach((turn, place) => {
    const active = turn.number === current;
    const card = element("section", { class: active ? "turn active" : "turn", "aria-current": active && turns.length > 1 ? "true" : null });
    card.append(turnHead(turn, place, turns.length, active, handlers));
    if (active && drafts.edit) card.append(...editor(turn, drafts, handlers));
    else card.append(...texts(turn, first));
    if (active) card.append(noteField(turn, drafts, handlers));
    nodes.push(card);
    first += turn.evidence.length;
  });
  return nodes;
}

function turnHead(turn, place, turns, active, handlers) {
  const title = turns > 1 ? `Turn ${place + 1} of ${turns}` : wording(turn.task);
  const head = element("header", { class: "turn-head" });
  head.append(
    active
      ? element("h2", { id: "pair-title" }, title)
      : element("h2", {}, element("button", { type: "button", class: "plain", onclick: () => handlers.turn(turn.number) }, title)),
    element("span", { class: "id" }, turn.id),
  );
  const state = turn.decision ? turn.decision.decision : "undecided";
  const chip = (kind, text, title = null) => element("span", { class: `chip ${kind}`, title }, text);
  const supported = turn.faithfulness === null ? null : `${Math.round(100 * turn.faithfulness)} % supported`;
  head.append(
    element(
      "div",
      { class: "chips" },
      state === "undecided" ? null : chip(`stamp ${state}`, `${SIGNS[state]} ${DONE[state]}`),
      turn.reason ? chip("dropped", `dropped: ${wording(turn.reason)}`) : chip("kept", "kept"),
      supported && chip("", supported, "Share of the answer’s checkable claims that the report supports"),
      turns > 1 ? chip("", wording(turn.task)) : null,
      turn.outdated ? chip("", "decided before, on other texts") : null,
    ),
  );
  return head;
}

function texts(turn, first) {
  const edited = turn.decision?.decision === "edit" ? turn.decision : null;
  const original = [
    label("Instruction"),
    element("p", { class: "text instruction" }, turn.instruction || "(empty)"),
    label("Answer"),
    element("p", { class: "text answer" }, turn.answer ? answerNodes(turn, first) : element("span", { class: "soft" }, "(no answer)")),
    ...problemList(turn),
  ];
  if (!edited) return original;
  return [
    label("Instruction", edited.instruction !== turn.instruction),
    element("p", { class: "text instruction" }, edited.instruction),
    label("Answer", edited.answer !== turn.answer),
    element("p", { class: "text answer" }, edited.answer),
    element("details", { class: "original" }, element("summary", {}, "As it was before your edit"), ...original),
  ];
}

function label(name, changed = false) {
  return element("h3", {}, name, changed ? element("span", { class: "changed" }, "edited") : null);
}

function answerNodes(turn, first) {
  const marks = [
    ...turn.evidence.map((one, place) => ({ start: one.answer_start, end: one.answer_end, link: first + place })),
    ...turn.problems.map((problem) => ({ start: problem.start, end: problem.end, kind: problem.kind })),
  ];
  const text = characters(turn.answer);
  return marked(text, 0, text.length, marks, (begun, links) => ({
    tabindex: begun.length ? 0 : null,
    "aria-describedby": begun.length ? links.map((link) => `evidence-${link}`).join(" ") : null,
  }));
}

function problemList(turn) {
  if (!turn.problems.length) return [];
  const text = characters(turn.answer);
  return [
    label("Not supported by the report"),
    element(
      "ul",
      { class: "problems" },
      ...turn.problems.map((problem) =>
        element(
          "li",
          {},
          element("b", {}, wording(problem.kind)),
          problem.start < problem.end ? ` “${text.slice(problem.start, problem.end).join("")}”` : null,
        ),
      ),
    ),
  ];
}

function editor(turn, drafts, handlers) {
  const field = (name, id) => {
    const area = element("textarea", { id, rows: name === "answer" ? 6 : 2, class: "text", ...PRIVATE, oninput: () => grow(area) });
    area.value = drafts.edit[name];
    area.addEventListener("input", () => {
      drafts.edit[name] = area.value;
    });
    return area;
  };
  return [
    element("h3", {}, element("label", { for: "edit-instruction" }, "Instruction")),
    field("instruction", "edit-instruction"),
    element("h3", {}, element("label", { for: "edit-answer" }, "Answer")),
    field("answer", "edit-answer"),
    element(
      "div",
      { class: "edit-actions" },
      element("button", { type: "button", class: "edit", id: "save-edit", onclick: handlers.saveEdit }, "Keep edit ", keys("Ctrl", "Enter")),
      element("button", { type: "button", id: "leave-edit", onclick: handlers.leaveEdit }, "Leave ", keys("Esc")),
    ),
  ];
}

function keys(...names) {
  return element("span", { class: "keys" }, ...names.map((name) => element("kbd", {}, name)));
}

export function grow(area) {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight + 2}px`;
}

function noteField(turn, drafts, handlers) {
  const stood = turn.decision?.note ?? "";
  const area = element("textarea", { id: "note", rows: 1, maxlength: 2000, ...PRIVATE, placeholder: "goes with your decision" });
  area.value = drafts.note ?? stood;
  const save = element("button", { type: "button", id: "save-note", hidden: true, onclick: handlers.saveNote }, "Keep note");
  const told = () => {
    save.hidden = !turn.decision || area.value.trim() === stood;
    grow(area);
  };
  area.addEventListener("input", () => {
    drafts.note = area.value;
    told();
  });
  requestAnimationFrame(told);
  const by = turn.decision && element("span", { class: "soft by" }, [turn.decision.reviewer, moment(turn.decision.decided)].filter(Boolean).join(", "));
  return element("div", { class: "note" }, element("label", { for: "note" }, "Note ", keys("N")), area, save, by);
}

function moment(stamp) {
  const date = new Date(stamp);
  return Number.isNaN(date.valueOf()) ? "" : date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

export function reportPane(detail) {
  const marks = [];
  let link = 0;
  for (const turn of detail.turns) for (const one of turn.evidence) marks.push({ start: one.start, end: one.end, link: link++ });
  return [
    element("header", { class: "report-head" }, element("h2", {}, "Report"), element("span", { class: "id" }, detail.report.report_id)),
    ...reportNodes(detail.report, marks),
  ];
}

export function fillSelect(select, choices) {
  const told = JSON.stringify(choices);
  if (select.dataset.told === told || document.activeElement === select) return;
  const chosen = select.value;
  select.replaceChildren(...choices.map(([value, text]) => element("option", { value }, text)));
  if (choices.some(([value]) => value === chosen)) select.value = chosen;
  select.dataset.told = told;
}
