"""python-logging-loki: the handler people add to Python's logging."""

import logging
import sys

import logging_loki

handler = logging_loki.LokiHandler(
    url=f"http://{sys.argv[1]}/loki/api/v1/push", tags={"app": "python"}, version="1"
)
errors = []
handler.handleError = errors.append
logger = logging.getLogger("client")
logger.setLevel(logging.INFO)
logger.addHandler(handler)
for n in range(10):
    logger.warning("from python %d", n, extra={"tags": {"part": "test"}})
assert not errors, errors
print("ok")
