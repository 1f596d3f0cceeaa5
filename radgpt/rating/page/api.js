// What the rating page asks of its server.

import { talker } from "./talk.js";

export { Trouble } from "./talk.js";

const { ask, send } = talker("The rating has ended on this machine. What you gave is kept; start stage=rate again to go on.");

export const opened = () => ask("/api/opened");
export const question = (number) => ask(`/api/questions/${number}`);
export const grade = (given) => send("/api/grades", given);
export const prefer = (given) => send("/api/preferences", given);
export const undo = () => send("/api/undo", {});
