"""The picture of the singer: head, hair, eyes, mouth and suit, drawn with numpy and OpenCV alone."""
