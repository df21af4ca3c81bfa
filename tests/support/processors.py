"""Processors of other kinds than the one at hand."""

import pytest
from llvmlite import binding as llvm

#: What numba is told of the processor.
AVX2 = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+64bit,+cx8,+cmov,+fxsr,+mmx,+sse,+sse2,+sse3,+ssse3,+sse4.1,+sse4.2,"
    "+popcnt,+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe",
}
needs_avx2 = pytest.mark.skipif(
    not llvm.get_host_cpu_features().get("avx2"), reason="this processor has no AVX2"
)
