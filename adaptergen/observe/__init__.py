"""What an adapter rests on, observed with the installed transformers: entries of locks."""
