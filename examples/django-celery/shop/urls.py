from counting import views
from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("live", views.live),
    path("ready", views.ready),
    path("texts", views.texts),
    path("texts/<int:number>", views.one),
]
