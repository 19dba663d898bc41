// Presigns URLs with the official session's signer at a fixed moment: cases as JSON on stdin, URLs as JSON on stdout.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const require = createRequire(import.meta.url);
const { DefaultSigV4 } = require("amazon-chime-sdk-js");

const cases = JSON.parse(await text(process.stdin));
const RealDate = Date;
const urls = [];
for (const { now, region, credentials, host, query } of cases) {
  globalThis.Date = class extends RealDate {
    constructor() {
      super(now);
    }
  };
  const signer = new DefaultSigV4({ config: { region, credentials } });
  const parameters = new Map(Object.entries(query).map(([name, value]) => [name, [value]]));
  urls.push(await signer.signURL("GET", "wss", "chime", host, "/connect", "", parameters));
}
process.stdout.write(JSON.stringify(urls));
