// Turn texts into nodes. Texts only ever become text nodes: nothing in them is markup.

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Offsets count characters as Python does; a JavaScript string counts those beyond U+FFFF twice.
export const characters = (text) => Array.from(text);

export const wording = (name) => name.replaceAll("_", " ");

// Reports are often wrapped at a width: a line end after a long line is no line end of the author's. Keeps every offset.
const SHORTEST_WRAPPED = 50;
const LIST_ITEM = /^\s*(?:[0-9]{1,2}[.)]|[-*•])\s/;

export function unwrapped(text) {
  const shown = [...text];
  let begin = 0;
  for (let place = 0; place < text.length; place += 1) {
    if (text[place] !== "\n") continue;
    let end = place + 1;
    while (end < text.length && text[end] !== "\n") end += 1;
    const next = text.slice(place + 1, end).join("");
    if (place - begin >= SHORTEST_WRAPPED && next.trim() && !LIST_ITEM.test(next)) shown[place] = " ";
    begin = place + 1;
  }
  return shown;
}
