// What the review page asks of its server.

import { talker } from "./talk.js";

export { Trouble } from "./talk.js";

const { ask, send } = talker("The review has ended on this machine. What you decided is kept; start stage=review again to go on.");

export const status = () => ask("/api/status");
export const openView = (filters) => send("/api/views", filters);
export const page = (view, start, size) => ask(`/api/views/${view}?start=${start}&size=${size}`);
export const answer = (number) => ask(`/api/answers/${number}`);
export const decide = (decision) => send("/api/decisions", decision);
export const undo = (view) => send("/api/undo", { view });
