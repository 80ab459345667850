"""What an adapter rests on, observed with the installed transformers: an entry of a lock."""
