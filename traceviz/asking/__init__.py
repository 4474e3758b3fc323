"""A Jaeger over HTTP: what it is asked, and what it answers, as whole traces with what of the window was seen.

`access` says where it is and as whom, `connection` asks one thing and tries again, `query` knows both APIs, `collect`
asks until no window is full. What it has to say on its way goes to the logger `traceviz`.
"""

import logging

logging.getLogger("traceviz").addHandler(logging.NullHandler())
