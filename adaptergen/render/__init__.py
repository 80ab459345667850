"""From a plan to the text of every file, formatted."""
