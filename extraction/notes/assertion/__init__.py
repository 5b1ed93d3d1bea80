"""Whether a fact holds, is denied, suspected, past, or about a relative; a folder a concept."""
