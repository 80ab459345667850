"""The last step of a build: an `OutputTree` is compared with the disk, then reported or written."""
