"""Clinical notes: what a note and a fact are, and how facts are found in the words."""
