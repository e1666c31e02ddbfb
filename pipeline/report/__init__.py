"""Room of the report: tables, figures, overlays, the page, and GeoJSON for QuPath.

Nothing is imported here, so that an export hangs on no parameter of the page.
"""
