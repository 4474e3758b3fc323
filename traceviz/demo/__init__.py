"""A small recording of a real mesh, and a server that answers with it as the real Jaeger did."""

from traceviz.demo.server import DemoJaeger, serve_recording
from traceviz.demo.traces import Recording

__all__ = ["DemoJaeger", "Recording", "serve_recording"]
