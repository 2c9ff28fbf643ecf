"""The drawn singer: a performance is made from a score or a sound, drawn frame by frame, and sung by a small voice."""
