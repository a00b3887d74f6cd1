"""Leaderboards as tables, figures and one offline page."""
