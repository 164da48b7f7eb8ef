"""Employees, when they were there, and what they are paid."""

from __future__ import annotations

from django.db import models


class Employee(models.Model):
    name = models.CharField(max_length=100)
    email = models.EmailField(unique=True)
    monthly_salary = models.DecimalField(max_digits=10, decimal_places=2)
    active = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.name


class Attendance(models.Model):
    employee = models.ForeignKey(Employee, on_delete=models.CASCADE, related_name="attendance")
    day = models.DateField(db_index=True)
    hours = models.DecimalField(max_digits=4, decimal_places=2)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["employee", "day"], name="dhanman_attendance_once")]

    def __str__(self) -> str:
        return f"{self.employee_id} {self.day}"


class AttendanceSummary(models.Model):
    day = models.DateField(unique=True)
    present = models.PositiveIntegerField()
    absent = models.PositiveIntegerField()
    hours = models.DecimalField(max_digits=8, decimal_places=2)

    class Meta:
        ordering = ["-day"]
        verbose_name_plural = "attendance summaries"

    def __str__(self) -> str:
        return f"{self.day}: {self.present} present"


class Salary(models.Model):
    employee = models.ForeignKey(Employee, on_delete=models.CASCADE, related_name="salaries")
    month = models.CharField(max_length=7)
    days = models.PositiveIntegerField()
    """Days that the employee was there."""
    gross = models.DecimalField(max_digits=10, decimal_places=2)
    provident_fund = models.DecimalField(max_digits=10, decimal_places=2)
    payslip = models.CharField(max_length=200, blank=True)
    """Name of the PDF."""

    class Meta:
        ordering = ["-month", "employee"]
        verbose_name_plural = "salaries"
        constraints = [models.UniqueConstraint(fields=["employee", "month"], name="dhanman_salary_once")]

    def __str__(self) -> str:
        return f"{self.employee_id} {self.month}"
