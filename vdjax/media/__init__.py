"""Frames to files: mp4, GIF and WebP, storyboards, and the folder that holds a film."""
