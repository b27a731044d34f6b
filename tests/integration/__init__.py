"""Integration tests: against real servers, a real PKCS#11 token and real file systems.

Each test_*.py runs alone (`/usr/bin/python3 -m unittest tests/integration/test_x.py` from the top
of the checkout) or with all others (`tests/integration/run`). The environment variable
BINVAULT_BUILD names the build directory whose bin/ is tested; default build/dev.
BINVAULT_THOROUGH=1 adds what repeats long tests for further servers, or with more rounds.
"""
