// Lay out a report, and mark what is known of stretches of it and of answers.

import { characters, element, unwrapped, wording } from "./texts.js";

// The stretch [from, to) of a text. `marks` are {start, end, link} (evidence number `link`) or {start, end, kind} (a problem).
// Each piece under evidence says in data-links which; `pieceOf` may add attributes to it.
export function marked(text, from, to, marks, pieceOf = () => ({})) {
  const within = marks.filter((mark) => mark.start < to && mark.end > from && mark.start < mark.end);
  const cuts = new Set([from, to]);
  for (const mark of within) for (const cut of [mark.start, mark.end]) if (cut > from && cut < to) cuts.add(cut);
  const ordered = [...cuts].sort((a, b) => a - b);
  const nodes = document.createDocumentFragment();
  const begun = new Set();
  ordered.slice(0, -1).forEach((start, place) => {
    const end = ordered[place + 1];
    const over = within.filter((mark) => mark.start <= start && mark.end >= end);
    const links = over.filter((mark) => mark.link !== undefined).map((mark) => mark.link);
    const problems = over.filter((mark) => mark.kind !== undefined);
    const words = text.slice(start, end).join("");
    let node = document.createTextNode(words);
    if (links.length) {
      const first = links.filter((link) => !begun.has(link));
      links.forEach((link) => begun.add(link));
      node = element("mark", { "data-links": links.join(" "), ...pieceOf(first, links) }, node);
    }
    if (problems.length) node = element("span", { class: "problem", title: problems.map((problem) => wording(problem.kind)).join(", ") }, node);
    nodes.append(node);
    for (const problem of problems) {
      if (problem.end === end) nodes.append(element("span", { class: "kind" }, wording(problem.kind)));
    }
  });
  return nodes;
}

// The report as headings and paragraphs. What stands between two sections is the header of the second, below titles of the report.
export function reportNodes(report, marks) {
  const text = characters(report.text);
  const shown = unwrapped(text);
  const pieceOf = (first) => (first.length ? { id: `evidence-${first[0]}` } : {});
  const nodes = [];
  const stretch = (tag, kind, from, to) => {
    while (from < to && !text[from].trim()) from += 1;
    while (to > from && (!text[to - 1].trim() || text[to - 1] === ":")) to -= 1;
    if (from < to) nodes.push(element(tag, { class: kind }, marked(shown, from, to, marks, pieceOf)));
  };
  let place = 0;
  for (const span of report.spans.length ? report.spans : [{ name: "", header: "", start: 0, end: text.length }]) {
    const empty = span.start === span.end;
    const header = span.header ? lastPlace(text, characters(span.header), place, span.start) : span.start;
    stretch("p", "title soft", place, header);
    if (span.header) stretch("h3", null, header, span.start);
    else if (span.name && span.name !== "preamble") nodes.push(element("h3", { class: "unheaded" }, wording(span.name)));
    nodes.push(
      element("p", { class: empty ? "text soft" : "text" }, empty ? "(empty)" : marked(shown, span.start, span.end, marks, pieceOf)),
    );
    place = span.end;
  }
  stretch("p", "title soft", place, text.length);
  return nodes;
}

// Where some words stand last in [from, to); `from` if they do not.
function lastPlace(text, words, from, to) {
  for (let start = to - words.length; start > from; start -= 1) {
    if (words.every((letter, place) => text[start + place] === letter)) return start;
  }
  return from;
}
