"""The figures of a report, one kind per file: charts are Vega-Lite specifications, and the gallery consists of pictures."""
