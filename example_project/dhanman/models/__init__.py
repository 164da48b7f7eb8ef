"""What the services store, a module for each."""

from .common import LogLine, RefreshToken, Report, Resident
from .community import CommunityEvent, MaintenanceRequest, VisitorPass
from .inventory import StockItem
from .payroll import Attendance, AttendanceSummary, Employee, Salary
from .purchase import GoodsReceipt, PurchaseOrder, Vendor, VendorPayment
from .sales import Invoice, LedgerEntry, Payment

__all__ = [
    "Attendance",
    "AttendanceSummary",
    "CommunityEvent",
    "Employee",
    "GoodsReceipt",
    "Invoice",
    "LedgerEntry",
    "LogLine",
    "MaintenanceRequest",
    "Payment",
    "PurchaseOrder",
    "RefreshToken",
    "Report",
    "Resident",
    "Salary",
    "StockItem",
    "Vendor",
    "VendorPayment",
    "VisitorPass",
]
