"""What a run says: its directory, the metrics, the comparison, the report. Needs no lab."""
