"""From notes and trial data to one cohort: records, sources, notes and criteria."""
