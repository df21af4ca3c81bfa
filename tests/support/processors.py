"""Processors of other kinds than the one at hand."""

import pytest
from llvmlite import binding as llvm

_HASWELL = (
    "+64bit,+cx8,+cmov,+fxsr,+mmx,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,"
    "+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe"
)
_WIDE = "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"
_SKYLAKE = ",".join([_HASWELL, *(f"+{each}" for each in _WIDE)])


def _told(name, features):
    return {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}


def _needs(*features):
    known = llvm.get_host_cpu_features()
    lacks = [each for each in features if not known.get(each)]
    return pytest.mark.skipif(bool(lacks), reason=f"this processor has no {', '.join(lacks)}")


needs_avx2 = _needs("avx2")
#: What numba is told of processors: without vectors of 512 bits, and with the first of these.
AVX2 = _told("haswell", _HASWELL)
OTHERS = [
    pytest.param(AVX2, id="avx2", marks=needs_avx2),
    pytest.param(_told("skylake-avx512", _SKYLAKE), id="first-avx512", marks=_needs(*_WIDE)),
]
