/* The loops of _kernels_loops.h, compiled once for each level of x86-64's instructions: what _kernels.c chooses from.

   The same source, in _kernels_baseline.c, _kernels_v3.c and _kernels_v4.c. Functions that the loader chooses from (target_clones) would
   need no tables, but could not be capped, and clang and macOS do not have them. */

#ifndef SKLEARN_GD_LEVELS
#define SKLEARN_GD_LEVELS

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "_kernels_table.h"

/* Whether there are levels above the compiler's own. */
#if defined(LEVELS)
#elif defined(__x86_64__) && defined(__GNUC__)
#define LEVELS 1
#else
#define LEVELS 0
#endif

/* What a sweep makes of predictions. */
enum kind { PLAIN = 0, SQUARED = 1, BINOMIAL = 2, HUBER = 3, POISSON = 4, MULTINOMIAL = 5, CURVED = 6, GIVEN = 7 };

/* Numbers of rows by outputs whose intermediate results lie in the first-level cache, and the rows at the most. */
#define CELLS 2048
#define LANE 64
/* Outputs whose coefficients of a column are side by side: those that a vector of 64 bytes holds. */
#define WIDTH 8

/* Some columns of an array in memory, and how far apart, in numbers, its rows and its columns are. */
struct rows {
    void *at;
    Py_ssize_t columns, row, column;
};

/* The arguments of one call, by the letters of _kernels_table.h, and its sums. */
struct call {
    Py_ssize_t number[128];
    void *array[128];
    struct rows rows[2];
    double real[16], sum[6];
    int reals, parts, no_memory;
};

#define NUMBERED(name, ...) name##_kernel,
enum kernel { KERNELS(NUMBERED) N_KERNELS };

struct level {
    const char *name;
    void (*loops[2][N_KERNELS])(struct call *); /* for X of doubles and of floats */
};

#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif
extern const struct level level_baseline;
#if LEVELS
extern const struct level level_v3, level_v4;
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
