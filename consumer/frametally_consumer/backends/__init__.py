"""What runs a network: OpenCV, OpenVINO, ONNX Runtime."""
