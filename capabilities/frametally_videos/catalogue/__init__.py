"""The catalogue of videos, in SQL tables: videos, jobs, uploads and notices."""
