"""Runs networks with OpenCV, OpenVINO or ONNX Runtime."""
