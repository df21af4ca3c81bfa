"""Write what is installed in several environments as one constraints file.

    python tools/constraints.py ENVIRONMENT/bin/python ... > constraints.txt

One environment for each Python; where these differ, lines have a marker.
"""

import re
import subprocess
import sys

#: Which the build needs, and ourselves.
LEFT_OUT = {"nengo-tactile", "pip", "wheel"}


def installed(python):
    """What ``pip freeze`` lists in an environment: (its Python, {name: version})."""

    def output(*arguments):
        return subprocess.run(
            [python, *arguments], check=True, capture_output=True, text=True
        ).stdout

    version = output("-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    lines = output("-m", "pip", "freeze", "--all").splitlines()
    pairs = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return version, {name: pinned for name, pinned in pairs if name.lower() not in LEFT_OUT}


def constraints(sets):
    """Lines of a constraints file.

    Parameters
    ----------
    sets : dict of str to dict
        Names and versions, by Python's version.

    Returns
    -------
    list of str
    """
    names = sorted({name for pinned in sets.values() for name in pinned}, key=str.lower)
    lines = []
    for name in names:
        pythons = {}
        for python, pinned in sets.items():
            if name in pinned:
                pythons.setdefault(pinned[name], []).append(python)
        for version, of in pythons.items():
            marker = " or ".join(f'python_version == "{python}"' for python in of)
            everywhere = len(of) == len(sets)
            lines.append(f"{name}=={version}" + ("" if everywhere else f" ; {marker}"))
    return lines


def main():
    """Print the file."""
    if len(sys.argv) < 2 or not re.search("python", sys.argv[1]):
        sys.exit(__doc__)
    sets = dict(sorted(map(installed, sys.argv[1:]), key=lambda pair: pair[0].zfill(5)))
    print(f"# Versions that the tests passed with together, on Python {', '.join(sets)}.")
    print(
        "# pip install setuptools==79.0.1 && pip install --no-build-isolation . -c constraints.txt"
    )
    print("\n".join(constraints(sets)))


if __name__ == "__main__":
    main()
