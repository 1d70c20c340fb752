"""Rows -> vectors: encoders under one small interface, embeddings beside a build, views.

>>> from edge_glass.vectors.encoder import open_encoder
>>> encoder = open_encoder("clip-vit-b32", "image")
>>> encoder.modality, encoder.dim  # known before any weight is read
('image', 512)
>>> encoder.encode([encoder.prepare(file) for file in files]).shape  # files: bytes of images
(8, 512)
"""
