"""How long an example takes says more of the machine than of the code: there are no deadlines."""

from hypothesis import settings

settings.register_profile("twinbed", deadline=None)
settings.load_profile("twinbed")
