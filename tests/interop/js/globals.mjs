// Node has neither of the two browser globals that the official session needs.
import WebSocket from "ws";

export class CloseEvent extends Event {
  constructor(type, init = {}) {
    super(type);
    this.code = init.code ?? 0;
    this.reason = init.reason ?? "";
    this.wasClean = init.wasClean ?? false;
  }
}

globalThis.WebSocket = WebSocket;
globalThis.CloseEvent ??= CloseEvent;
