"""Turn one photo into a singing meme."""
