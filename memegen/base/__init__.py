"""What everything stands on: errors, files, downloads, progress, threads. It knows no picture and no sound."""
