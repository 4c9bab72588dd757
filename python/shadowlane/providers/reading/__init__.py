"""What all providers are read with: JSON that nobody promised, event streams, drafts of answers, citations."""
