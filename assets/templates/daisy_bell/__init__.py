"""Makes the bundled driving clip: a rendered singer performs the chorus of "Daisy Bell"."""
