"""The scheduler of beat, which shows a sign of life whenever it has looked for work that is due."""

from celery.beat import PersistentScheduler

from shop.celery import sign_of_life


class Scheduler(PersistentScheduler):
    def tick(self, *args, **kwargs):
        pause = super().tick(*args, **kwargs)
        sign_of_life()
        return pause
