"""Whether a video is fit to be counted: by its pictures, by their order, and by its times."""
