"""The `twin` engine: any-order baseline net, hazards for events, regressions for visits."""
