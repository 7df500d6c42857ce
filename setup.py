"""The compiled kernels; everything else about the package is in pyproject.toml."""

import os
import sys
from pathlib import Path

from setuptools import Extension, setup

# Elementary functions that set no errno and loops that may be reordered: both are needed for vectors. No -ffast-math,
# which changes the whole process's arithmetic when the library is loaded. For which instructions a file is compiled it says itself.
# Microsoft's compiler knows `restrict` from C11 on.
FLAGS = ["/std:c11"] if sys.platform == "win32" else ["-O3", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"]
# Those with which .ci/kernels tries other compilations; behind the others, so that they win.
MORE = os.environ.get("KERNEL_FLAGS", "").split()

setup(
    ext_modules=[
        Extension(
            "sklearn_gd._kernels",
            [f"sklearn_gd/_kernels{name}.c" for name in ("", "_baseline", "_v3", "_v4")],
            depends=sorted(str(path) for path in Path("sklearn_gd").glob("_kernels*.h")),
            extra_compile_args=FLAGS + MORE,
            extra_link_args=[flag for flag in MORE if flag.startswith("-fsanitize")],
            py_limited_api=True,
            # where there is no compiler, NumPy does the same in more passes
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
