"""Reports: everything that becomes HTML. Lower rooms return data; this one shows them."""

from serving.report.render import write_report

__all__ = ["write_report"]
