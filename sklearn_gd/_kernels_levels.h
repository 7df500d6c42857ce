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
#include <string.h>

/* Whether there are levels above the compiler's own. */
#if defined(LEVELS)
#elif defined(__x86_64__) && defined(__GNUC__)
#define LEVELS 1
#else
#define LEVELS 0
#endif

enum kind { PLAIN = 0, SQUARED = 1, BINOMIAL = 2, MULTINOMIAL = 3, CURVED = 4, GIVEN = 5 };

/* Cells of rows by outputs whose intermediate results lie in the first-level cache, and the rows at the most. */
#define CELLS 2048
#define LANE 64
/* Outputs whose coefficients of a column are side by side: those that a vector of 64 bytes holds. */
#define WIDTH 8
/* Rows that a symmetric product takes at a time: of 20 columns they lie in the first-level cache with those that come next, of 100 in
   the second. On one thread 100,000 x 20 took 1.35 ms, and 1.78 by 256 rows, 20,640 x 8 54 us and 58; 96 are no better. */
#define GRAM_ROWS 128

/* Some columns of an array in memory, and how far apart, in numbers, its rows and its columns are. */
struct rows {
    const void *at;
    Py_ssize_t columns, row, column;
};

/* What the next products need of X and T, in stretches of GRAM_ROWS numbers: a column's rows each, or, of contiguous rows, as
   many in all. In bytes; a line holds eight numbers. */
struct ahead {
    const char *at[2];
    Py_ssize_t step[2], count[2], line;
};

/* Products of k columns of m rows, GRAM_ROWS apart, are added to the lower triangle of their sums, a tile of rows by rows of it
   after the other; m is a multiple of eight, and behind the columns there are zeros up to a multiple of a tile's. An entry is the
   sum of its lanes. */
struct products {
    Py_ssize_t tile, lanes;
    void (*add)(const double *restrict Z, Py_ssize_t k, Py_ssize_t m, const struct ahead *next, double *restrict sum);
};


#define REAL double
#define NAME(x) x##_f64
#include "_kernels_table.h"
#undef REAL
#undef NAME
#define REAL float
#define NAME(x) x##_f32
#include "_kernels_table.h"
#undef REAL
#undef NAME

struct level {
    const char *name;
    struct loops_f64 f64;
    struct loops_f32 f32;
    struct products products;
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
