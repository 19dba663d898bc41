// The unmodified DefaultMessagingSession in Node. Options: one JSON argument. Reports: JSON lines on stdout.
// Closing stdin, or a line "stop", stops the session.
import "./globals.mjs";
import readline from "node:readline";
import { createRequire } from "node:module";
import { ChimeSDKMessagingClient } from "@aws-sdk/client-chime-sdk-messaging";
import { configure, observer } from "./report.mjs";

const sdk = createRequire(import.meta.url)("amazon-chime-sdk-js");
const options = JSON.parse(process.argv[2]);
const report = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const client = new ChimeSDKMessagingClient({
  region: options.region, endpoint: options.endpoint, credentials: options.credentials,
});
const session = new sdk.DefaultMessagingSession(configure(sdk, client, options), new sdk.NoOpLogger());
session.addObserver(observer(report));
process.on("unhandledRejection", (error) => report({ event: "unhandled", code: error?.code, text: String(error) }));

readline.createInterface({ input: process.stdin })
  .on("line", (line) => line === "stop" && session.stop())
  .on("close", () => { session.stop(); setTimeout(() => process.exit(0), 500).unref(); });

session.start().then(
  () => report({ event: "resolved" }),
  (error) => report({ event: "rejected", code: error.code, reason: error.reason }),
);
