// The unmodified AWS SDK v3 clients. One JSON call a line on stdin: {"service", "operation", "input"}; one answer a line.
import readline from "node:readline";
import * as identity from "@aws-sdk/client-chime-sdk-identity";
import * as meetings from "@aws-sdk/client-chime-sdk-meetings";
import * as messaging from "@aws-sdk/client-chime-sdk-messaging";

const options = JSON.parse(process.argv[2]);
const settings = {
  region: options.region, endpoint: options.endpoint, credentials: options.credentials, maxAttempts: 1,
};
const services = {
  messaging: [messaging, new messaging.ChimeSDKMessagingClient(settings)],
  identity: [identity, new identity.ChimeSDKIdentityClient(settings)],
  meetings: [meetings, new meetings.ChimeSDKMeetingsClient(settings)],
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { service, operation, input } = JSON.parse(line);
  const [module, client] = services[service];
  let answer;
  try {
    for (const key of ["NotBefore", "NotAfter"]) if (input[key]) input[key] = new Date(input[key]);
    const { $metadata, ...output } = await client.send(new module[`${operation}Command`](input));
    answer = { status: $metadata.httpStatusCode, output };
  } catch (error) {
    answer = {
      status: error.$metadata?.httpStatusCode, error: error.name, message: error.message,
      modelled: error.constructor.name === error.name,
    };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
