"""Makes a model ready to run: downloads it, converts it to ONNX or INT8, and tests the result."""
