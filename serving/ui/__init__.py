"""The page under /ui: ask for a synthetic control arm, see it beside real patients, take it."""
