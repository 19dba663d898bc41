"""Room: how does a bot answer? Empty until the bot layer lands. May import `sessions` and what stands below it."""
