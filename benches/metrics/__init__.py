"""What a scrape of a lane costs."""
