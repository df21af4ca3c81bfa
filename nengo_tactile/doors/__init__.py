"""Doors: how files are opened that came from anywhere.

What is opened is a regular file, and that file alone. Sizes that a file declares are compared with
what it holds, and with the memory there is, before anything is read. Whatever libraries raise on
the way becomes an error of ours that names the file.
"""
