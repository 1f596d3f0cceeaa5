// Talk with the server of this page, and with nobody else.

export class Trouble extends Error {}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", redirect: "error", ...options });
  } catch {
    throw new Trouble("The review has ended on this machine. What you decided is kept; start stage=review again to go on.");
  }
  const body = await response.json();
  if (!response.ok) {
    const trouble = new Trouble(body.message);
    trouble.status = response.status;
    throw trouble;
  }
  return body;
}

function send(path, body) {
  return ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

export const status = () => ask("/api/status");
export const openView = (filters) => send("/api/views", filters);
export const page = (view, start, size) => ask(`/api/views/${view}?start=${start}&size=${size}`);
export const answer = (number) => ask(`/api/answers/${number}`);
export const decide = (decision) => send("/api/decisions", decision);
export const undo = (view) => send("/api/undo", { view });
