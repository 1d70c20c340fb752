"""Slides and synthetic questions: collect decks, ask a model, filter, evaluate."""
