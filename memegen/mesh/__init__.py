"""The mesh engine: a face mesh of 468 landmarks moves the whole photo."""
