// The unmodified official clients for a page: bundled by esbuild, driven by Playwright.
import { ChimeSDKMessagingClient, SendChannelMessageCommand } from "@aws-sdk/client-chime-sdk-messaging";
import * as sdk from "amazon-chime-sdk-js";
import { configure, observer } from "./report.mjs";

window.chime = {
  reports: [],
  start(options) {
    const report = (value) => window.chime.reports.push(value);
    this.client = new ChimeSDKMessagingClient({
      region: options.region, endpoint: options.endpoint, credentials: options.credentials,
    });
    this.session = new sdk.DefaultMessagingSession(configure(sdk, this.client, options), new sdk.NoOpLogger());
    this.session.addObserver(observer(report));
    this.session.start().then(
      () => report({ event: "resolved" }),
      (error) => report({ event: "rejected", code: error.code, reason: error.reason }),
    );
  },
  stop() { this.session.stop(); },
  async send(input) {
    try {
      const { MessageId, Status } = await this.client.send(new SendChannelMessageCommand(input));
      return { MessageId, Status };
    } catch (error) {
      return { error: error.name, message: error.message };
    }
  },
};
