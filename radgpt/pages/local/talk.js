// Talk with the server of a page, and with nobody else.

export class Trouble extends Error {}

// `ended` is what to say where no server answers any more.
export function talker(ended) {
  async function ask(path, options = {}) {
    let response;
    try {
      response = await fetch(path, { credentials: "same-origin", redirect: "error", ...options });
    } catch {
      throw new Trouble(ended);
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

  return { ask, send };
}
