"""What is stored, compared, judged and accounted for: as data, as text and as a page."""
