// Lay out the conversation and the answers with what was given for them.

import { characters, element, unwrapped, wording } from "./texts.js";

export const letter = (place) => String.fromCharCode(65 + place);
export const NONE = -1;

const ROLES = { system: "What models were told", user: "Asked", assistant: "Answered before" };

export function conversationNodes(question) {
  const told = question.messages.filter((message) => message.role === "system");
  const turns = question.messages.filter((message) => message.role !== "system");
  const { report, asked } = parted(turns[0]);
  const nodes = [element("h2", {}, report ? "Report" : "Conversation")];
  if (report) nodes.push(passage(report));
  turns.forEach((message, place) => {
    const last = place === turns.length - 1;
    nodes.push(element("h3", {}, last ? "Question" : ROLES[message.role] ?? message.role));
    nodes.push(passage(place === 0 && report ? asked : message.content, last ? "text question" : "text"));
  });
  if (question.reference) nodes.push(folded("Reference answer", question.reference));
  for (const message of told) nodes.push(folded(ROLES.system, message.content));
  return nodes;
}

// The first message mostly holds the report and, as its last paragraph, the question.
function parted(message) {
  const cut = message.content.trimEnd().lastIndexOf("\n\n");
  return cut < 0 ? { report: null, asked: message.content } : { report: message.content.slice(0, cut), asked: message.content.slice(cut).trim() };
}

const passage = (text, kind = "text") => element("p", { class: kind }, unwrapped(characters(text)).join(""));

const folded = (title, text) => element("details", {}, element("summary", {}, title), passage(text));

export function answerNodes(question, rubric, mark, handlers) {
  const several = question.answers.length > 1;
  const title = several ? `${question.answers.length} answers` : "One answer, given by all models";
  const head = element(
    "header",
    { class: "answers-head" },
    element("h2", { id: "question-title" }, title),
    element("span", { class: "id" }, `${wording(question.task)} · ${question.id}`),
    question.complete ? element("span", { class: "chip complete" }, "✓ complete") : null,
  );
  const nodes = [head, ...question.answers.map((answer, place) => card(answer, place, question, rubric, mark, handlers))];
  if (several) nodes.push(preference(question, rubric, handlers));
  return nodes;
}

function card(answer, place, question, rubric, mark, handlers) {
  const best = question.preferred === place;
  return element(
    "section",
    { class: best ? "card best" : "card", "aria-label": `Answer ${letter(place)}` },
    element("h3", { class: "label" }, element("span", { class: "letter" }, letter(place)), best ? element("span", { class: "chip" }, "preferred") : null),
    answer.text.trim() ? passage(answer.text, "text answer") : element("p", { class: "text answer soft" }, "(an empty answer)"),
    element("div", { class: "scales" }, ...rubric.criteria.map((criterion) => scale(answer, place, criterion, mark, handlers))),
  );
}

function scale(answer, place, criterion, mark, handlers) {
  const marked = mark !== null && mark.answer === place && mark.criterion === criterion.name;
  const given = answer.scores[criterion.name];
  const id = `scale-${place}-${criterion.name}`;
  return element(
    "div",
    { class: marked ? "scale marked" : "scale", role: "group", "aria-labelledby": id, onclick: () => handlers.mark(place, criterion.name) },
    element("span", { class: "criterion", id, title: criterion.asks }, wording(criterion.name)),
    element(
      "span",
      { class: "scores" },
      ...criterion.levels.map(([score, meaning]) =>
        element(
          "button",
          {
            type: "button",
            class: "score",
            title: meaning,
            "aria-pressed": String(given === score),
            "aria-label": `${wording(criterion.name)} of answer ${letter(place)}: ${score}, ${meaning}`,
            onclick: (event) => {
              event.stopPropagation();
              handlers.grade(place, criterion.name, given === score ? null : score);
            },
          },
          String(score),
        ),
      ),
    ),
  );
}

function preference(question, rubric, handlers) {
  const choice = (place, text) =>
    element(
      "button",
      {
        type: "button",
        class: "choice",
        "aria-pressed": String(question.preferred === place),
        onclick: () => handlers.prefer(question.preferred === place ? null : place),
      },
      text,
    );
  return element(
    "section",
    { class: "preference", "aria-label": "Preference" },
    element("p", { class: "asks" }, rubric.preference),
    element("div", { class: "choices" }, ...question.answers.map((_, place) => choice(place, letter(place))), choice(NONE, "none is better")),
  );
}

export function legendNodes(criterion) {
  if (!criterion) return [];
  return [
    element("span", { class: "asks" }, element("b", {}, wording(criterion.name)), ` · ${criterion.asks}`),
    ...criterion.levels.map(([score, meaning]) => element("span", { class: "level" }, element("b", {}, String(score)), ` ${meaning}`)),
  ];
}
