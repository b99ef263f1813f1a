from django.db import models


class Text(models.Model):
    content = models.TextField()
    words = models.PositiveIntegerField(null=True)
    added_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.content[:40]
