"""Weights on disk: safetensors in and out, checked against a manifest of checksums."""
