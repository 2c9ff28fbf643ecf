"""The mesh engine: a face mesh of 478 landmarks moves the whole photo."""
