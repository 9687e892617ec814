"""Trained models -> files that other programs run."""

from bob.learn.pytorch.export.onnx import ExportError, export_network, graph_of

__all__ = ["ExportError", "export_network", "graph_of"]
