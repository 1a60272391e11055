"""Runs a network: OpenCV, OpenVINO, ONNX Runtime."""
