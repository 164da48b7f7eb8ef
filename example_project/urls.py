from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from example_project.manager.views import manager

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("manager/", manager, name="manager"),
    path("dhanman/", include("example_project.dhanman.urls")),
    path("api/", include("django_jobs.api.urls")),
]
