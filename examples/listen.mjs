// Prints two messages that a user receives, with the official clients. Node 20, npm install amazon-chime-sdk-js
// @aws-sdk/client-chime-sdk-messaging ws. The official session speaks wss only: chime serve --tls, and
//
//     eval "$(chime env --tls)"
//     node listen.mjs USER_ARN
import { createRequire } from "node:module";
import { ChimeSDKMessagingClient } from "@aws-sdk/client-chime-sdk-messaging";
import WebSocket from "ws";

// Two globals of browsers that the official session needs.
globalThis.WebSocket = WebSocket;
globalThis.CloseEvent ??= class CloseEvent extends Event {
  constructor(type, init = {}) {
    super(type);
    Object.assign(this, { code: 0, reason: "", wasClean: false }, init);
  }
};
const sdk = createRequire(import.meta.url)("amazon-chime-sdk-js");

// Endpoint, region and keys come from the variables of `chime env`.
const client = new ChimeSDKMessagingClient({});
const configuration = new sdk.MessagingSessionConfiguration(process.argv[2], null, undefined, client);
const session = new sdk.DefaultMessagingSession(configuration, new sdk.NoOpLogger());
let received = 0;
session.addObserver({
  messagingSessionDidReceiveMessage(message) {
    if (message.type !== "CREATE_CHANNEL_MESSAGE") return;
    const { Sender, Content } = JSON.parse(message.payload);
    console.log(`${Sender.Name}: ${Content}`);
    if (++received === 2) session.stop();
  },
});
await session.start();
console.log("listening");
