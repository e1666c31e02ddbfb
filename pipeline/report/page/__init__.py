"""The page: its sections, their wording and the template they are poured into."""
