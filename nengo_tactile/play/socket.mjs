// The page with its server.

import { open } from "./page.mjs";

let socket = null;
const page = open((message) => {
  if (socket?.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(message));
  return true;
});

function connect() {
  socket = new WebSocket(`ws://${location.host}/socket`);
  socket.onmessage = (event) => page.take(JSON.parse(event.data));
  socket.onclose = () => {
    page.lose();
    setTimeout(connect, 1000);
  };
}

connect();
