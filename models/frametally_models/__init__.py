"""Makes a model ready to run: fetches it, converts it to ONNX or INT8, and proves what it was made into."""
