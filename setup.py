"""The compiled kernels; everything else about the package is in pyproject.toml."""

import sys

from setuptools import Extension, setup

# Elementary functions that set no errno and loops that may be reordered: both are needed for vectors. No -ffast-math,
# which changes the whole process's arithmetic when the library is loaded. Microsoft's compiler knows `restrict` from C11 on.
FLAGS = ["/std:c11"] if sys.platform == "win32" else ["-O3", "-fopenmp-simd", "-fno-math-errno", "-fno-trapping-math"]

setup(
    ext_modules=[
        Extension(
            "sklearn_gd._kernels",
            ["sklearn_gd/_kernels.c", "sklearn_gd/_kernels_gram.c", "sklearn_gd/_kernels_guard.c"],
            depends=[
                f"sklearn_gd/{name}.h"
                for name in (
                    "_kernels_typed",
                    "_kernels_outputs",
                    "_kernels_sparse_outputs",
                    "_kernels_sparse",
                    "_kernels_gram",
                    "_kernels_gram_typed",
                    "_kernels_guard",
                )
            ],
            extra_compile_args=FLAGS,
            py_limited_api=True,
            # where there is no compiler, NumPy does the same in more passes
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
