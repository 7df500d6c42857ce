/* The loops of _kernels.c, and their table for one level; included by the file of each level, which says for which instructions they
   are compiled, and what the table is called.

   Arithmetic only: which rows, on which thread, and what for is decided in Python, which has the same in NumPy where this cannot be
   compiled.

   Products of X are made and summed in double precision, whatever it holds; so are sums over the samples. What is as long as there
   are samples is kept in the precision of X: its rounding errors are independent of each other. NaN in, NaN out: every selection
   below lets NaN pass, so that a run that diverges is recognised as one. */

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* Numbers of a block whose intermediate results lie in the first-level cache. */
#define PART 256
/* Bytes of rows that are read again while they are in the first-level cache. Squared error with 192 KB, which lie in the second:
   20,000 x 1,000 in float32 2.12 ms on one thread, and 1.86 so; 200,000 x 100 in float64 5.6 and 4.95. */
#define ROWS_BYTES (24 * 1024)

/* The same of sweeps for several outputs, which do more with a row: they read it again in the second-level cache. */
#define OUTPUT_BYTES (192 * 1024)
/* Bytes of a cache line. */
#define LINE 64
/* How far ahead rows are asked for, in bytes: their lines are not all in one page, before which the processor's own prefetching
   stops. One pass, two threads, float32: 1,000,000 x 20 9.2 ms without, 7.3 with; 200,000 x 100 6.7 and 5.2. */
#define AHEAD_BYTES 3072
/* Columns whose sums of products are kept in registers while rows go by: 1,000,000 x 20 in float32 7.7 ms instead of 9.2. Of more
   columns the rows are too far apart. */
#define FEW_COLUMNS 64

/* Stored values of a sparse row from which its product is made of several sums. */
#define SHORT_ROW 16

/* Rows that are turned into columns at once: their cache lines stay while the columns are gone through. */
#define STRIP 16

/* As many numbers as a register of the level holds, and what is left of eight; both wherever they begin. */
#define LANES ((Py_ssize_t)(BYTES / sizeof(double)))
#define REST (LANES < 8 ? LANES : 4)
#if BYTES > 8
#define ANYWHERE(type) aligned(sizeof(type)), may_alias
typedef double vec __attribute__((vector_size(BYTES), ANYWHERE(double)));
typedef double rest __attribute__((vector_size(BYTES < 64 ? BYTES : 32), ANYWHERE(double)));
#define CONVERT(x, to) __builtin_convertvector(x, to)
#define PREFETCH(...) __builtin_prefetch(__VA_ARGS__)
#else
typedef double vec, rest;
#define CONVERT(x, to) ((to)(x))
#define PREFETCH(...) (void)0
#endif
/* The level's vectors of eight numbers. */
#define EIGHT (8 / (int)LANES)

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector) && BYTES >= 32
/* Four numbers, and some of two such. */
typedef double four __attribute__((vector_size(32), ANYWHERE(double)));
#define SWAP(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif

/* Rows that a symmetric product takes at a time: of 20 columns they lie in the first-level cache with those that come next, of 100 in
   the second. On one thread 100,000 x 20 took 1.35 ms, and 1.78 by 256 rows, 20,640 x 8 54 us and 58; 96 are no better. */
#define GRAM_ROWS 128

/* What the next products need of X and T, in stretches of GRAM_ROWS numbers: a column's rows each, or, of contiguous rows, as
   many in all. In bytes; a line holds eight numbers. */
struct ahead {
    const char *at[2];
    Py_ssize_t step[2], count[2], line;
};

/* Products of k columns of m rows, GRAM_ROWS apart, are added to the lower triangle of their sums, a tile of TILE by TILE after the
   other; m is a multiple of eight, and behind the columns there are zeros up to a multiple of a tile's. An entry is the sum of
   SUM_LANES lanes. */

#ifdef TILES
/* Stretch j of both, or the last one. */
static const char *stretch(const struct ahead *next, Py_ssize_t j)
{
    int part = j >= next->count[0] && next->count[1];
    if (part) j -= next->count[0];
    return next->at[part] + (j < next->count[part] ? j : next->count[part] - 1) * next->step[part];
}

/* Its 25 sums, five columns and a sixth are all but one of the registers that there are. */
#define TILE 5
#define SUM_LANES 8

/* Products of r columns by TILE others, or by each other: those on and below the diagonal. */
INLINE void add_tile(const int r, const int diagonal, const vec *x, const vec *y, Py_ssize_t m,
                     const char *const *ahead, Py_ssize_t line, vec *sum)
{
    const Py_ssize_t next = GRAM_ROWS / 8; /* column */
    const char *p0 = ahead[0], *p1 = ahead[1], *p2 = ahead[2];
    vec s[TILE * TILE] = {0};
    for (Py_ssize_t i = 0; i < m; i++) {
        __builtin_prefetch(p0 + i * line);
        __builtin_prefetch(p1 + i * line);
        __builtin_prefetch(p2 + i * line);
        for (int j = 0; j < r; j++)
            for (int l = 0; l < TILE; l++)
                if (l < (diagonal ? j + 1 : TILE)) s[j * TILE + l] += x[i + j * next] * y[i + l * next];
    }
    for (int j = 0; j < r; j++)
        for (int l = 0; l < TILE; l++)
            if (l < (diagonal ? j + 1 : TILE)) sum[j * TILE + l] += s[j * TILE + l];
}

/* No entry twice, and their lanes are added up at the very end: ten columns of 20,640 rows 31 us, of whole tiles of 4 by 4 49. The next
   rows are asked for meanwhile: 57 instead of 69 with what gathers them. */
static void add_products(const double *restrict Z, Py_ssize_t k, Py_ssize_t m, const struct ahead *next, double *restrict sums)
{
    vec *sum = (vec *)sums;
    Py_ssize_t side = (k + TILE - 1) / TILE, tiles = side * (side + 1) / 2, tile = 0, count = next->count[0] + next->count[1];
    for (Py_ssize_t a = 0; a < k; a += TILE) {
        const vec *x = (const vec *)(Z + a * GRAM_ROWS);
        const vec *y = (const vec *)Z;
        int r = k - a < TILE ? (int)(k - a) : TILE;
/* loops of known length, which the compiler unrolls into registers */
#define ADD(R, DIAGONAL) add_tile(R, DIAGONAL, x, y, m / 8, ahead, next->line, sum)
        for (; y <= x; y += TILE * GRAM_ROWS / 8, sum += TILE * TILE) {
            Py_ssize_t first = tile++ * count / tiles;
            const char *ahead[3] = {stretch(next, first), stretch(next, first + 1), stretch(next, first + 2)};
            switch (y == x ? -r : r) {
            case -1: ADD(1, 1); break;
            case -2: ADD(2, 1); break;
            case -3: ADD(3, 1); break;
            case -4: ADD(4, 1); break;
            case -TILE: ADD(TILE, 1); break;
            case 1: ADD(1, 0); break;
            case 2: ADD(2, 0); break;
            case 3: ADD(3, 0); break;
            case 4: ADD(4, 0); break;
            default: ADD(TILE, 0);
            }
        }
#undef ADD
    }
}
#else
#define TILE 3
#define SUM_LANES 1

/* Nine entries at once: with the columns they take all registers that there are without AVX-512. */
static void add_products(const double *restrict Z, Py_ssize_t k, Py_ssize_t m, const struct ahead *next, double *restrict sum)
{
    for (Py_ssize_t a = 0; a < k; a += 3) {
        const double *x0 = Z + a * GRAM_ROWS, *x1 = x0 + GRAM_ROWS, *x2 = x1 + GRAM_ROWS;
        for (Py_ssize_t b = 0; b <= a; b += 3) {
            const double *y0 = Z + b * GRAM_ROWS, *y1 = y0 + GRAM_ROWS, *y2 = y1 + GRAM_ROWS;
            double s00 = 0, s01 = 0, s02 = 0, s10 = 0, s11 = 0, s12 = 0, s20 = 0, s21 = 0, s22 = 0;
#pragma omp simd reduction(+ : s00, s01, s02, s10, s11, s12, s20, s21, s22)
            for (Py_ssize_t i = 0; i < m; i++) {
                s00 += x0[i] * y0[i];
                s01 += x0[i] * y1[i];
                s02 += x0[i] * y2[i];
                s10 += x1[i] * y0[i];
                s11 += x1[i] * y1[i];
                s12 += x1[i] * y2[i];
                s20 += x2[i] * y0[i];
                s21 += x2[i] * y1[i];
                s22 += x2[i] * y2[i];
            }
            *sum++ += s00, *sum++ += s01, *sum++ += s02;
            *sum++ += s10, *sum++ += s11, *sum++ += s12;
            *sum++ += s20, *sum++ += s21, *sum++ += s22;
        }
    }
}
#endif

/* Adds the sums of products, their lanes added up, to a symmetric matrix. */
static void add_entries(const double *sum, Py_ssize_t order, double *out)
{
    for (Py_ssize_t a = 0; a < order; a += TILE)
        for (Py_ssize_t b = 0; b <= a; b += TILE)
            for (Py_ssize_t i = a; i < a + TILE; i++)
                for (Py_ssize_t j = b; j < b + TILE; j++, sum += SUM_LANES) {
                    if (i >= order || j > i) continue;
                    double total = 0;
                    for (Py_ssize_t lane = 0; lane < SUM_LANES; lane++) total += sum[lane];
                    out[i * order + j] += total;
                    if (j < i) out[j * order + i] += total;
                }
}

/* s and the sum of vectors of eight numbers and of one of the rest. */
INLINE double sum_of(const vec *v, const rest *q, double s)
{
    double a[8], b[4];
    memcpy(a, v, sizeof a);
    memcpy(b, q, sizeof *q);
    for (int k = 0; k < REST; k++) s += b[k];
    return s + (((a[0] + a[4]) + (a[1] + a[5])) + ((a[2] + a[6]) + (a[3] + a[7])));
}

/* Eight rows times their factors f; `numbers` reads some of a row. */
#define EIGHT_ROWS(numbers, x)                                                                                          \
    (((f[0] * numbers(x) + f[1] * numbers((x) + p)) + (f[2] * numbers((x) + 2 * p) + f[3] * numbers((x) + 3 * p))) +    \
     ((f[4] * numbers((x) + 4 * p) + f[5] * numbers((x) + 5 * p)) + (f[6] * numbers((x) + 6 * p) + f[7] * numbers((x) + 7 * p))))

#include "_kernels_losses.h"
#include "_kernels_outputs.h"

#define REAL double
#define NAME(x) x##_f64
#include "_kernels_typed.h"
#undef REAL
#undef NAME
#define REAL float
#define NAME(x) x##_f32
#include "_kernels_typed.h"
#undef REAL
#undef NAME

#define LOOP_f64(name, ...) name##_f64,
#define LOOP_f32(name, ...) name##_f32,
const struct level LEVEL = {LEVEL_NAME, {{KERNELS(LOOP_f64)}, {KERNELS(LOOP_f32)}}};
