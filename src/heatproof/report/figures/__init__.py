"""One figure per file. Charts are Vega-Lite specifications; the gallery is pixels."""
