"""Room of the report: tables, figures, overlays, the page, and GeoJSON for QuPath."""

from pipeline.report.params import ReportParams

__all__ = ["ReportParams"]
