"""What is stored, compared, evaluated and accounted for: as data, as text and as a page."""
