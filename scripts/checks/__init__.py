"""Every check of the project, behind `scripts/test`. Standard library only."""
