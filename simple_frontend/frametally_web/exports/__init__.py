"""A chart's numbers as files: CSV, JSON, Parquet, and workbooks for Excel."""
