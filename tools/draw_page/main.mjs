// The page without a server.

import { open } from "../../nengo_tactile/play/page.mjs";
import { Desk } from "./desk.mjs";

const desk = new Desk(JSON.parse(document.getElementById("told").textContent));
const page = open((message) => {
  queueMicrotask(() => page.take(desk.answer(message)));
  return true;
});
page.take(desk.hello());
