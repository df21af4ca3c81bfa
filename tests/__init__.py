"""Tests of the installed package.

With pytest's import mode "importlib" nothing of the checkout comes onto `sys.path`: the code under
test is what Python finds by itself, installed or not. Since this folder is a package, pytest brings
it into `sys.modules` with `tests/conftest.py`, and `tests.support` is found through it, from any
working directory. Files of tests import from there, never from each other.
"""
