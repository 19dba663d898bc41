"""Room: how do peers agree? Empty until shared state lands. May import `sessions` and what stands below it."""
