"""Without the web services of requirements/services.txt there is nothing to test here."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("fastapi") else ["test_page.py", "test_server.py"]
