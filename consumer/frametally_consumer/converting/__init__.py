"""Makes the networks that run fastest, out of Darknet's: ONNX, and INT8."""
