from django.contrib import admin

from counting.models import Text

admin.site.register(Text, list_display=["__str__", "words", "added_at"])
