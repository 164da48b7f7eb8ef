from .celeryapp import app as app
