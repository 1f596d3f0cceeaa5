// Show the examples that the reader asks for; without this script all of them are shown.
const form = document.querySelector(".filters");
const list = document.querySelector(".examples");
const all = [...list.children];
const empty = document.querySelector(".none-left");
const texts = new Map(all.map((one) => [one, one.textContent.toLowerCase()]));

const orders = {
  chosen: () => 0,
  apart: (one, other) => other.dataset.apart - one.dataset.apart,
  worst: (one, other) => one.dataset.mean - other.dataset.mean,
  best: (one, other) => other.dataset.mean - one.dataset.mean,
};

function update() {
  const { kind, task, order, abnormal, sought } = form.elements;
  const words = sought.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (one) =>
    (!kind.value || one.dataset.kinds.split(" ").includes(kind.value)) &&
    (!task.value || one.dataset.task === task.value) &&
    (!abnormal.checked || one.dataset.abnormal === "yes") &&
    words.every((word) => texts.get(one).includes(word));
  let shown = 0;
  for (const one of all) {
    one.hidden = !fits(one);
    shown += !one.hidden;
  }
  const model = order.value.startsWith("model:") ? order.value.slice(6) : null;
  const byModel = (one, other) => JSON.parse(one.dataset.values)[model] - JSON.parse(other.dataset.values)[model];
  list.append(...[...all].sort(model === null ? orders[order.value] : byModel));
  form.querySelector("output").textContent = `${shown} of ${all.length}`;
  empty.hidden = shown > 0;
}

form.hidden = false;
form.addEventListener("input", update);
form.addEventListener("submit", (event) => event.preventDefault());
update();
