from django.apps import AppConfig


class Counting(AppConfig):
    name = "counting"
