// What an official session tells its observer, as values that JSON can carry. Shared by Node and the browser.
export function observer(report) {
  return {
    messagingSessionDidStartConnecting: (reconnecting) => report({ event: "connecting", reconnecting }),
    messagingSessionDidStart: () => report({ event: "start" }),
    messagingSessionDidReceiveMessage: ({ type, headers, payload }) =>
      report({ event: "message", type, headers, payload: payload === null ? null : JSON.parse(payload) }),
    messagingSessionDidStop: ({ code, reason }) => report({ event: "stop", code, reason }),
  };
}

export function configure(sdk, client, options) {
  const configuration = new sdk.MessagingSessionConfiguration(
    options.userArn, options.sessionId ?? null, options.endpointUrl, client);
  if (options.prefetch) configuration.prefetchOn = sdk.PrefetchOn.Connect;
  if (options.sortBy) configuration.prefetchSortBy = options.sortBy;
  if (options.reconnectTimeoutMs) configuration.reconnectTimeoutMs = options.reconnectTimeoutMs;
  return configuration;
}
