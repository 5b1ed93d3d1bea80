"""The `mixture` engine: latent classes over a tree of columns, with exact conditionals."""
