"""All tests of Binvault; a package so that `python3 -m unittest tests/integration/test_x.py` works."""
