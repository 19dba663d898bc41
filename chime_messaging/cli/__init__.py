"""Room: what can be done from a shell? ``chime serve|env|tail|send|demo``. May import any room."""
