/* Passes over X and over predictions that read every number once: what NumPy's ufuncs need ten passes for.

   Three uses: the fused sweeps of a dense or sparse design (predictions, their pointwise loss, and the adjoint of its slopes while
   the rows are in cache), the symmetric product of a few columns, and the trials of a search on a binomial or multinomial loss. Loops
   and arithmetic only: which rows, on which thread, and what for is decided in Python, which has the same in NumPy where this
   cannot be compiled.

   What is summed over rows is summed in double precision, whatever the arrays hold: sums over many float32 rows do not drift.
   The products of a row are in its own. NaN in, NaN out: every selection below lets NaN pass, so that a run that diverges is
   recognised as one. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include "_kernels_guard.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
/* one compilation, the widest vectors of the machine it runs on */
#define VECTORS __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
/* Vectors of 512 bits, which the compiler does not choose by itself: for loops of multiplications alone they are twice as fast. */
#define WIDE __attribute__((target("arch=x86-64-v4,prefer-vector-width=512")))
static int wide(void) { return __builtin_cpu_supports("x86-64-v4"); }
#else
#define VECTORS
#define WIDE
static int wide(void) { return 0; }
#endif
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* Numbers of a block whose intermediate results lie in the first-level cache. */
#define PART 256
/* The same in cells of rows by outputs, and the rows at the most. */
#define CELLS 2048
#define LANE 64
/* Columns of a block's rows that are multiplied at once: with the coefficients of ten outputs they lie in the first-level cache. */
#define COLUMNS 128
/* Bytes of rows that are read again while they are in the first-level cache. Squared error with 192 KB, which lie in the second:
   20,000 x 1,000 in float32 2.12 ms on one thread, and 1.86 so; 200,000 x 100 in float64 5.6 and 4.95. */
#define ROWS_BYTES (24 * 1024)
/* The same of sweeps for several outputs, which do more with a row: they read it again in the second-level cache. */
#define OUTPUT_BYTES (192 * 1024)

#if (defined(__GNUC__) && __GNUC__ >= 9) || defined(__clang__)
/* Bytes of a cache line, and of a vector of numbers: the compiler makes of it what the processor has. */
#define LINE 64
/* How far ahead rows are asked for, in bytes: their lines are not all in one page, before which the processor's own prefetching
   stops. One pass, two threads, float32: 1,000,000 x 20 9.2 ms without, 7.3 with; 200,000 x 100 6.7 and 5.2. */
#define AHEAD_BYTES 3072
/* Columns whose sums of products are kept in registers while rows go by: 1,000,000 x 20 in float32 7.7 ms instead of 9.2. Of more
   columns the rows are too far apart. */
#define FEW_COLUMNS 64
#endif

/* Stored values of a sparse row from which its product is made of several sums. */
#define SHORT_ROW 16

/* Rows that a symmetric product takes at a time: of 20 columns they lie in the first-level cache with those that come next, of 100 in
   the second. On one thread 100,000 x 20 took 1.35 ms, and 1.78 by 256 rows, 20,640 x 8 54 us and 58; 96 are no better. */
#define GRAM_ROWS 128
/* Rows that are turned into columns at once: their cache lines stay while the columns are gone through. */
#define STRIP 16

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector) && defined(LINE)
/* Four numbers, wherever they begin, and some of two such. */
typedef double four __attribute__((vector_size(32), aligned(8), may_alias));
#define SWAP(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif

enum kind { PLAIN = 0, SQUARED = 1, BINOMIAL = 2, MULTINOMIAL = 3, CURVED = 4, GIVEN = 5 };

/* exp(-t) for t >= 0: 2^k e^r with |r| <= ln(2)/2 and Taylor's polynomial of degree 13, whose remainder 0.35^14/14! is 4e-18. */
INLINE double exp_minus(double t)
{
    const double magic = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to an integer, which is in its low bits */
    t = t > 708.0 ? 708.0 : t;
    double shifted = -t * 1.4426950408889634 + magic;
    double k = shifted - magic;
    double r = -t - k * 6.93147180369123816490e-01;
    r = r - k * 1.90821492927058770002e-10;
    double e = 1.0 / 6227020800.0;
    e = e * r + 1.0 / 479001600.0;
    e = e * r + 1.0 / 39916800.0;
    e = e * r + 1.0 / 3628800.0;
    e = e * r + 1.0 / 362880.0;
    e = e * r + 1.0 / 40320.0;
    e = e * r + 1.0 / 5040.0;
    e = e * r + 1.0 / 720.0;
    e = e * r + 1.0 / 120.0;
    e = e * r + 1.0 / 24.0;
    e = e * r + 1.0 / 6.0;
    e = e * r + 0.5;
    e = e * r + 1.0;
    e = e * r + 1.0;
    int64_t bits;
    memcpy(&bits, &shifted, 8);
    bits = (int64_t)(((uint64_t)bits << 52) + ((uint64_t)1023 << 52));
    double scale;
    memcpy(&scale, &bits, 8);
    return e * scale;
}

/* 2 artanh(s) for |s| <= 0.1716: ten terms leave 2 s^21/21 < 1e-17. */
INLINE double twice_artanh(double s)
{
    double q = s * s;
    double e = 1.0 / 19.0;
    e = e * q + 1.0 / 17.0;
    e = e * q + 1.0 / 15.0;
    e = e * q + 1.0 / 13.0;
    e = e * q + 1.0 / 11.0;
    e = e * q + 1.0 / 9.0;
    e = e * q + 1.0 / 7.0;
    e = e * q + 1.0 / 5.0;
    e = e * q + 1.0 / 3.0;
    e = e * q + 1.0;
    return 2.0 * s * e;
}

/* log(1 + u) for 0 <= u <= 1: 2 artanh(s), with s = u/(2 + u) up to sqrt(2) - 1 and beyond it ln 2 and s = (u - 1)/(u + 3). */
INLINE double log1p_unit(double u)
{
    int upper = u > 0.41421356237309503;
    double s = (upper ? u - 1.0 : u) / (upper ? u + 3.0 : u + 2.0);
    return (upper ? 0.6931471805599453 : 0.0) + twice_artanh(s);
}

/* log(t) for a normal t >= 1: t = 2^k f with f from sqrt(1/2) to sqrt(2), k ln 2 + 2 artanh((f - 1)/(f + 1)). */
INLINE double log_from_one(double t)
{
    uint64_t bits, one = 0x3ff0000000000000u, half_root = 0x3fe6a09e667f3bcdu; /* 1 and sqrt(1/2) */
    memcpy(&bits, &t, 8);
    bits += one - half_root;
    double k = (double)(int32_t)(bits >> 52) - 1023.0, f;
    bits = (bits & 0xfffffffffffffu) + half_root;
    memcpy(&f, &bits, 8);
    return t - t /* NaN of NaN */ + k * 0.6931471805599453 + twice_artanh((f - 1.0) / (f + 1.0));
}

/* log(1 + exp(-y raw)) and its first two derivatives in raw; y is -1 or +1. */
INLINE void binomial(double y, double raw, double *value, double *slope, double *bend)
{
    double margin = y * raw;
    double tail = exp_minus(fabs(margin));
    double right = 1.0 / (1.0 + tail);
    double wrong = margin < 0 ? right : tail * right;
    *value = log1p_unit(tail) - (margin > 0 ? 0.0 : margin);
    *slope = -y * wrong;
    *bend = tail * right * right;
}

/* -H^-1 g of `out`, laid out as value, g0, g1, h00, h01, h11, for one or two numbers, as steps.newton_step has it. */
static void newton_step(int two, const double *out, double parallel, double *step)
{
    double g = out[1], e = out[2], h = out[3], c = out[4], k = out[5], determinant = h * k - c * c;
    step[0] = h > 0 ? -g / h : 0;
    step[1] = 0;
    if (two && determinant > parallel * h * k) {
        step[0] = (c * e - k * g) / determinant;
        step[1] = (c * g - h * e) / determinant;
    }
}

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

/* Stretch j of both, or the last one. */
static const char *stretch(const struct ahead *next, Py_ssize_t j)
{
    int part = j >= next->count[0] && next->count[1];
    if (part) j -= next->count[0];
    return next->at[part] + (j < next->count[part] ? j : next->count[part] - 1) * next->step[part];
}

/* Products of k columns of m rows, GRAM_ROWS apart, are added to the lower triangle of their sums, a tile of rows by rows of it
   after the other; m is a multiple of eight, and behind the columns there are zeros up to a multiple of a tile's. An entry is the
   sum of its lanes. */
struct products {
    Py_ssize_t tile, lanes;
    void (*add)(const double *restrict Z, Py_ssize_t k, Py_ssize_t m, const struct ahead *next, double *restrict sum);
};

/* Nine entries at once: with the columns they take all registers that there are without AVX-512. */
VECTORS static void add_nine(const double *restrict Z, Py_ssize_t k, Py_ssize_t m, const struct ahead *next, double *restrict sum)
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

#ifdef LINE
typedef double vector __attribute__((vector_size(64)));

/* Columns of a tile: its 25 sums, five columns and a sixth are all but one of the registers that there are. */
#define SIDE 5

/* Products of r columns by SIDE others, or by each other: those on and below the diagonal. */
WIDE INLINE void add_tile(const int r, const int diagonal, const vector *x, const vector *y, Py_ssize_t m,
                          const char *const *ahead, Py_ssize_t line, vector *sum)
{
    const Py_ssize_t next = GRAM_ROWS / 8; /* column */
    const char *p0 = ahead[0], *p1 = ahead[1], *p2 = ahead[2];
    vector s[SIDE * SIDE] = {0};
    for (Py_ssize_t i = 0; i < m; i++) {
        __builtin_prefetch(p0 + i * line);
        __builtin_prefetch(p1 + i * line);
        __builtin_prefetch(p2 + i * line);
        for (int j = 0; j < r; j++)
            for (int l = 0; l < SIDE; l++)
                if (l < (diagonal ? j + 1 : SIDE)) s[j * SIDE + l] += x[i + j * next] * y[i + l * next];
    }
    for (int j = 0; j < r; j++)
        for (int l = 0; l < SIDE; l++)
            if (l < (diagonal ? j + 1 : SIDE)) sum[j * SIDE + l] += s[j * SIDE + l];
}

/* No entry twice, and their lanes are added up at the very end: ten columns of 20,640 rows 31 us, of whole tiles of 4 by 4 49. The next
   rows are asked for meanwhile: 57 instead of 69 with what gathers them. */
WIDE static void add_tiles(const double *restrict Z, Py_ssize_t k, Py_ssize_t m, const struct ahead *next, double *restrict sums)
{
    vector *sum = (vector *)sums;
    Py_ssize_t side = (k + SIDE - 1) / SIDE, tiles = side * (side + 1) / 2, tile = 0, count = next->count[0] + next->count[1];
    for (Py_ssize_t a = 0; a < k; a += SIDE) {
        const vector *x = (const vector *)(Z + a * GRAM_ROWS);
        const vector *y = (const vector *)Z;
        int r = k - a < SIDE ? (int)(k - a) : SIDE;
/* loops of known length, which the compiler unrolls into registers */
#define ADD(R, DIAGONAL) add_tile(R, DIAGONAL, x, y, m / 8, ahead, next->line, sum)
        for (; y <= x; y += SIDE * GRAM_ROWS / 8, sum += SIDE * SIDE) {
            Py_ssize_t first = tile++ * count / tiles;
            const char *ahead[3] = {stretch(next, first), stretch(next, first + 1), stretch(next, first + 2)};
            switch (y == x ? -r : r) {
            case -1: ADD(1, 1); break;
            case -2: ADD(2, 1); break;
            case -3: ADD(3, 1); break;
            case -4: ADD(4, 1); break;
            case -SIDE: ADD(SIDE, 1); break;
            case 1: ADD(1, 0); break;
            case 2: ADD(2, 0); break;
            case 3: ADD(3, 0); break;
            case 4: ADD(4, 0); break;
            default: ADD(SIDE, 0);
            }
        }
#undef ADD
    }
}
#endif

static struct products products_here(void)
{
#ifdef LINE
    if (wide()) return (struct products){SIDE, 8, add_tiles};
#endif
    return (struct products){3, 1, add_nine};
}

/* Adds the sums of products, their lanes added up, to a symmetric matrix. */
static void add_entries(const struct products *of, const double *sum, Py_ssize_t order, double *out)
{
    Py_ssize_t t = of->tile, lanes = of->lanes;
    for (Py_ssize_t a = 0; a < order; a += t)
        for (Py_ssize_t b = 0; b <= a; b += t)
            for (Py_ssize_t i = a; i < a + t; i++)
                for (Py_ssize_t j = b; j < b + t; j++, sum += lanes) {
                    if (i >= order || j > i) continue;
                    double total = 0;
                    for (Py_ssize_t lane = 0; lane < lanes; lane++) total += sum[lane];
                    out[i * order + j] += total;
                    if (j < i) out[j * order + i] += total;
                }
}

/* Each output's row times one factor a sample. */
VECTORS static void scaled(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const double *w, double *restrict r)
{
    for (Py_ssize_t c = 0; c < k; c++) {
        double *restrict row = r + c * lane;
#pragma omp simd
        for (Py_ssize_t i = 0; i < m; i++) row[i] *= w[i];
    }
}

/* m rows of predictions by outputs, `lane` apart, become probabilities; returns the sum of the losses. */
INLINE double probabilities(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const int64_t *y, const double *w, double *restrict r)
{
    double peak[LANE], sum[LANE], loss[LANE], value = 0;
    for (Py_ssize_t i = 0; i < m; i++) loss[i] = r[y[i] * lane + i];
#pragma omp simd
    for (Py_ssize_t i = 0; i < m; i++) peak[i] = r[i], sum[i] = 0;
    for (Py_ssize_t c = 1; c < k; c++) {
        const double *row = r + c * lane;
#pragma omp simd
        for (Py_ssize_t i = 0; i < m; i++) peak[i] = row[i] > peak[i] ? row[i] : peak[i];
    }
    for (Py_ssize_t c = 0; c < k; c++) {
        double *restrict row = r + c * lane;
#pragma omp simd
        for (Py_ssize_t i = 0; i < m; i++) sum[i] += row[i] = exp_minus(peak[i] - row[i]);
    }
#pragma omp simd reduction(+ : value)
    for (Py_ssize_t i = 0; i < m; i++) {
        value += w[i] * (log_from_one(sum[i]) + (peak[i] - loss[i]));
        sum[i] = 1 / sum[i];
    }
    scaled(m, k, lane, sum, r);
    return value;
}

/* Probabilities become weighted slopes. */
VECTORS static void slopes_of(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const int64_t *y, const double *w, double *restrict r)
{
    for (Py_ssize_t i = 0; i < m; i++) r[y[i] * lane + i] -= 1;
    scaled(m, k, lane, w, r);
}

/* Predictions become weighted slopes of the multinomial loss; returns the sum of the losses. */
VECTORS static double class_slopes(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const int64_t *y, const double *w, double *restrict r)
{
    double value = probabilities(m, k, lane, y, w, r);
    slopes_of(m, k, lane, y, w, r);
    return value;
}

/* A direction's predictions become the weighted Hessian's product with them; q holds the probabilities. */
VECTORS static void bent(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const double *q, const double *w, double *restrict r)
{
    double mean[LANE] = {0};
    for (Py_ssize_t c = 0; c < k; c++) {
        const double *p = q + c * lane, *row = r + c * lane;
#pragma omp simd
        for (Py_ssize_t i = 0; i < m; i++) mean[i] += p[i] * row[i];
    }
    for (Py_ssize_t c = 0; c < k; c++) {
        const double *p = q + c * lane;
        double *restrict row = r + c * lane;
#pragma omp simd
        for (Py_ssize_t i = 0; i < m; i++) row[i] = w[i] * p[i] * (row[i] - mean[i]);
    }
}

/* Adds a[0] u + a[1] v to r, as far as they are there. */
VECTORS static void move(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const double *a, const double *u, const double *v,
                         double *restrict r)
{
    for (Py_ssize_t c = 0; c < k; c++) {
        double *restrict row = r + c * lane;
        const double *f = u + c * lane, *e = v + c * lane;
        if (u) {
#pragma omp simd
            for (Py_ssize_t i = 0; i < m; i++) row[i] += a[0] * f[i];
        }
        if (v) {
#pragma omp simd
            for (Py_ssize_t i = 0; i < m; i++) row[i] += a[1] * e[i];
        }
    }
}

/* Predictions become probabilities; out gets the sums of the losses, and the slopes and forms of the directions u and v, where
   they are. */
VECTORS static void class_trial(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const int64_t *y, const double *w, const double *u,
                                const double *v, double *restrict r, double *out)
{
    out[0] += probabilities(m, k, lane, y, w, r);
    if (!u) return;
    double mean[LANE] = {0}, middle[LANE] = {0}, g0 = 0, g1 = 0, h00 = 0, h01 = 0, h11 = 0;
    for (Py_ssize_t c = 0; c < k; c++) {
        const double *p = r + c * lane, *f = u + c * lane;
#pragma omp simd
        for (Py_ssize_t i = 0; i < m; i++) mean[i] += p[i] * f[i];
    }
    for (Py_ssize_t c = 0; v && c < k; c++) {
        const double *p = r + c * lane, *e = v + c * lane;
#pragma omp simd
        for (Py_ssize_t i = 0; i < m; i++) middle[i] += p[i] * e[i];
    }
    for (Py_ssize_t i = 0; i < m; i++) g0 += w[i] * (mean[i] - u[y[i] * lane + i]);
    for (Py_ssize_t i = 0; v && i < m; i++) g1 += w[i] * (middle[i] - v[y[i] * lane + i]);
    for (Py_ssize_t c = 0; c < k; c++) {
        const double *p = r + c * lane, *f = u + c * lane, *e = v + c * lane;
        if (!v) {
#pragma omp simd reduction(+ : h00)
            for (Py_ssize_t i = 0; i < m; i++) h00 += w[i] * p[i] * (f[i] - mean[i]) * (f[i] - mean[i]);
        } else {
#pragma omp simd reduction(+ : h00, h01, h11)
            for (Py_ssize_t i = 0; i < m; i++) {
                double q = w[i] * p[i], d = f[i] - mean[i], b = e[i] - middle[i];
                h00 += q * d * d;
                h01 += q * d * b;
                h11 += q * b * b;
            }
        }
    }
    out[1] += g0, out[2] += g1, out[3] += h00, out[4] += h01, out[5] += h11;
}

#define REAL double
#define NAME(x) x##_f64
#include "_kernels_typed.h"
#undef REAL
#undef NAME
#define REAL float
#define NAME(x) x##_f32
#include "_kernels_typed.h"

/* ------------------------------------------------------------------------------------------------------- Python */

static void *data_or_null(Py_buffer *buffer) { return buffer->obj ? buffer->buf : NULL; }

/* A buffer of `count` numbers of `size` bytes, or None. */
static int get(PyObject *object, Py_buffer *buffer, int writable, Py_ssize_t count, Py_ssize_t size)
{
    buffer->obj = NULL;
    if (object == Py_None) return 0;
    if (PyObject_GetBuffer(object, buffer, writable ? PyBUF_WRITABLE : PyBUF_SIMPLE)) return -1;
    if (buffer->len != count * size) {
        PyErr_Format(PyExc_ValueError, "a buffer of %zd bytes, expected %zd", buffer->len, count * size);
        PyBuffer_Release(buffer);
        buffer->obj = NULL;
        return -1;
    }
    return 0;
}

/* The buffers of n arrays, of which those from `written` on are written to; a bit of `needed` is set where an array may not be None.
   Returns how many were got: fewer with an exception. */
static int get_all(PyObject **objects, Py_buffer *b, int n, int needed, int written, const Py_ssize_t *counts, const Py_ssize_t *sizes)
{
    for (int got = 0; got < n; got++) {
        if (needed >> got & 1 && objects[got] == Py_None) {
            PyErr_SetString(PyExc_ValueError, "an array that is needed is None");
            return got;
        }
        if (get(objects[got], b + got, got >= written, counts[got], sizes[got])) return got;
    }
    return n;
}

static void release(Py_buffer *b, int got)
{
    for (int k = 0; k < got; k++)
        if (b[k].obj) PyBuffer_Release(b + k);
}

static PyObject *py_sweep(PyObject *self, PyObject *args)
{
    int kind, size;
    Py_ssize_t n, p;
    double intercept;
    PyObject *objects[6]; /* X, coef, y, weight, gradient, predictions */
    if (!PyArg_ParseTuple(args, "iinnOOdOOOO", &kind, &size, &n, &p, objects, objects + 1, &intercept, objects + 2,
                          objects + 3, objects + 4, objects + 5))
        return NULL;
    Py_buffer b[6];
    Py_ssize_t counts[6] = {n * p, p, n, n, p, n};
    Py_ssize_t sizes[6] = {size, size, size, size, 8, size};
    PyObject *result = NULL;
    int got = get_all(objects, b, 6, 19, 4, counts, sizes);
    if (got < 6) goto done;
    double value = 0, total = 0;
    Py_BEGIN_ALLOW_THREADS
#define SWEEP(RUN)                                                                                                                    \
    RUN(kind, b[0].buf, n, p, b[1].buf, intercept, data_or_null(b + 2), data_or_null(b + 3), b[4].buf, data_or_null(b + 5), &value, \
        &total)
    if (size == 8)
        SWEEP(sweep_f64);
    else
        SWEEP(sweep_f32);
    Py_END_ALLOW_THREADS
    result = Py_BuildValue("dd", value, total);
done:
    release(b, got);
    return result;
}

/* Whether some of n rows are there, and begin and end among their values. */
static int sparse_rows(const int32_t *rows, Py_ssize_t n, Py_ssize_t start, Py_ssize_t stop, Py_ssize_t values)
{
    int there = 0 <= start && start <= stop && stop <= n && 0 <= rows[start] && rows[start] <= rows[stop] && rows[stop] <= values;
    if (!there) PyErr_SetString(PyExc_ValueError, "rows or values that are not there");
    return there;
}

static PyObject *py_sparse_sweep(PyObject *self, PyObject *args)
{
    int kind, size;
    Py_ssize_t n, p, values, start, stop;
    double intercept;
    PyObject *objects[9]; /* rows, columns, values, coef, y, weight, cells, gradient, predictions */
    if (!PyArg_ParseTuple(args, "iinnnnnOOOOdOOOOO", &kind, &size, &n, &p, &values, &start, &stop, objects, objects + 1, objects + 2,
                          objects + 3, &intercept, objects + 4, objects + 5, objects + 6, objects + 7, objects + 8))
        return NULL;
    Py_buffer b[9];
    Py_ssize_t counts[9] = {n + 1, values, values, p, n, n, n, p, n};
    Py_ssize_t sizes[9] = {4, 4, size, size, size, size, size, 8, size};
    /* what is read whatever is asked for */
    int needed = 7 | (objects[3] == Py_None) << 6 | (kind == SQUARED || kind == BINOMIAL) << 4;
    PyObject *result = NULL;
    int got = get_all(objects, b, 9, needed, 7, counts, sizes);
    if (got < 9) goto done;
    if (!sparse_rows(b[0].buf, n, start, stop, values)) goto done;
    double value = 0, total = 0;
    Py_BEGIN_ALLOW_THREADS
#define SPARSE(RUN)                                                                                                               \
    RUN(kind, start, stop, b[0].buf, b[1].buf, b[2].buf, data_or_null(b + 3), intercept, data_or_null(b + 4), data_or_null(b + 5), \
        data_or_null(b + 6), data_or_null(b + 7), data_or_null(b + 8), &value, &total)
    if (size == 8)
        SPARSE(sparse_sweep_f64);
    else
        SPARSE(sparse_sweep_f32);
    Py_END_ALLOW_THREADS
    result = Py_BuildValue("dd", value, total);
done:
    release(b, got);
    return result;
}

static PyObject *py_sparse_columns(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, p, values, start, stop;
    PyObject *objects[7]; /* rows, columns, values, weight, target, centre, sums */
    if (!PyArg_ParseTuple(args, "innnnnOOOOOOO", &size, &n, &p, &values, &start, &stop, objects, objects + 1, objects + 2, objects + 3,
                          objects + 4, objects + 5, objects + 6))
        return NULL;
    Py_buffer b[7];
    Py_ssize_t counts[7] = {n + 1, values, values, n, n, p, 4 * p};
    Py_ssize_t sizes[7] = {4, 4, size, size, 8, 8, 8};
    PyObject *result = NULL;
    int got = get_all(objects, b, 7, 71, 6, counts, sizes);
    if (got < 7) goto done;
    if (!sparse_rows(b[0].buf, n, start, stop, values)) goto done;
    Py_BEGIN_ALLOW_THREADS
#define SPARSE_COLUMNS(RUN) \
    RUN(start, stop, b[0].buf, b[1].buf, b[2].buf, data_or_null(b + 3), data_or_null(b + 4), data_or_null(b + 5), b[6].buf)
    if (size == 8)
        SPARSE_COLUMNS(sparse_columns_f64);
    else
        SPARSE_COLUMNS(sparse_columns_f32);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
done:
    release(b, got);
    return result;
}

/* The buffer of X, whose rows are contiguous, and the numbers from one row to the next; -1 where it is not such. */
static Py_ssize_t get_block(PyObject *object, Py_buffer *buffer, Py_ssize_t size)
{
    if (PyObject_GetBuffer(object, buffer, PyBUF_STRIDES)) return -1;
    if (buffer->ndim == 2 && buffer->itemsize == size && (buffer->shape[1] <= 1 || buffer->strides[1] == size) &&
        buffer->strides[0] >= 0 && buffer->strides[0] % size == 0)
        return buffer->strides[0] / size;
    PyErr_Format(PyExc_ValueError, "X must have two axes, contiguous rows and numbers of %zd bytes", size);
    PyBuffer_Release(buffer);
    return -1;
}

static PyObject *py_outputs(PyObject *self, PyObject *args)
{
    int kind, size;
    Py_ssize_t k;
    PyObject *block, *objects[8]; /* coef, intercepts, y, weight, cells, gradient, totals, predictions */
    if (!PyArg_ParseTuple(args, "iinOOOOOOOOO", &kind, &size, &k, &block, objects, objects + 1, objects + 2, objects + 3, objects + 4,
                          objects + 5, objects + 6, objects + 7))
        return NULL;
    if (k < 1 || k > CELLS / 8) return PyErr_Format(PyExc_ValueError, "%zd outputs, expected 1 to %d", k, CELLS / 8);
    Py_buffer x, b[8];
    Py_ssize_t row = get_block(block, &x, size);
    if (row < 0) return NULL;
    Py_ssize_t n = x.shape[0], p = x.shape[1];
    Py_ssize_t width = 64 / size;
    Py_ssize_t counts[8] = {(k + width - 1) / width * width * p, k, n, n, n * k, k * p, k, n * k};
    Py_ssize_t sizes[8] = {size, 8, 8, size, size, 8, 8, size};
    /* what is read whatever is asked for */
    int needed = objects[0] == Py_None ? 1 << 4 : 1 << 1;
    if (objects[5] != Py_None) needed |= 1 << 6 | (kind == MULTINOMIAL) << 2 | (kind == CURVED) << 4;
    PyObject *result = NULL;
    int got = get_all(objects, b, 8, needed, 5, counts, sizes);
    if (got < 8) goto done;
    double value;
    Py_BEGIN_ALLOW_THREADS
#define OUTPUTS(RUN)                                                                                                          \
    RUN(kind, x.buf, row, n, p, k, data_or_null(b), data_or_null(b + 1), data_or_null(b + 2), data_or_null(b + 3),            \
        data_or_null(b + 4), data_or_null(b + 5), data_or_null(b + 6), data_or_null(b + 7))
    value = size == 8 ? OUTPUTS(outputs_f64) : OUTPUTS(outputs_f32);
    Py_END_ALLOW_THREADS
    result = PyFloat_FromDouble(value);
done:
    release(b, got);
    PyBuffer_Release(&x);
    return result;
}

/* The arrays of a trial: y, weight, base, first and second image, raw, slope, bend. Returns how many were got, 8 if all. */
static int get_trial(PyObject **objects, Py_buffer *b, Py_ssize_t n, Py_ssize_t k, int size)
{
    Py_ssize_t m = n * k, counts[8] = {n, n, m, m, m, m, m, m};
    Py_ssize_t sizes[8] = {k > 1 ? 8 : size, size, size, size, size, size, size, size};
    return get_all(objects, b, 8, 1 | 4 | 32, 5, counts, sizes);
}

#define PLANE(NAME, s, b)                                                                                                  \
    struct NAME s = {n, k, b[0].buf, data_or_null(b + 1), b[2].buf, data_or_null(b + 3), data_or_null(b + 4), b[5].buf, \
                     data_or_null(b + 6), data_or_null(b + 7), 1, 0, {0, 0}, {0, 0, 0}}

static PyObject *py_trial(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, k;
    double a[2], out[6];
    PyObject *objects[8], *result = NULL;
    if (!PyArg_ParseTuple(args, "innddOOOOOOOO", &size, &n, &k, a, a + 1, objects, objects + 1, objects + 2, objects + 3,
                          objects + 4, objects + 5, objects + 6, objects + 7))
        return NULL;
    Py_buffer b[8];
    int got = get_trial(objects, b, n, k, size);
    if (got == 8) {
        Py_BEGIN_ALLOW_THREADS
        if (size == 8) {
            PLANE(plane_f64, s, b);
            evaluate_f64(&s, a, out);
        } else {
            PLANE(plane_f32, s, b);
            evaluate_f32(&s, a, out);
        }
        Py_END_ALLOW_THREADS
        result = Py_BuildValue("dddddd", out[0], out[1], out[2], out[3], out[4], out[5]);
    }
    release(b, got);
    return result;
}

static PyObject *py_search(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, k;
    double a[2], mean, constant, along[2], forms[3], origin, noise, accuracy, parallel, promised, match, out[6];
    PyObject *objects[8], *result = NULL;
    if (!PyArg_ParseTuple(args, "innddOOOOOOOO(ddddddd)(dddddd)", &size, &n, &k, a, a + 1, objects, objects + 1, objects + 2,
                          objects + 3, objects + 4, objects + 5, objects + 6, objects + 7, &mean, &constant, along, along + 1,
                          forms, forms + 1, forms + 2, &origin, &noise, &accuracy, &parallel, &promised, &match))
        return NULL;
    Py_buffer b[8];
    int got = get_trial(objects, b, n, k, size);
    if (got == 8) {
        Py_BEGIN_ALLOW_THREADS
#define SEARCH(NAME, RUN)                                                                           \
    {                                                                                               \
        PLANE(NAME, s, b);                                                                          \
        s.mean = mean;                                                                              \
        s.constant = constant;                                                                      \
        memcpy(s.along, along, sizeof along);                                                       \
        memcpy(s.forms, forms, sizeof forms);                                                       \
        RUN(&s, a, origin, noise, accuracy, parallel, &promised, &match, out);                      \
    }
        if (size == 8)
            SEARCH(plane_f64, search_f64)
        else
            SEARCH(plane_f32, search_f32)
        Py_END_ALLOW_THREADS
        result = Py_BuildValue("ddddd", a[0], a[1], out[0], promised, match);
    }
    release(b, got);
    return result;
}

static PyObject *py_plane(PyObject *self, PyObject *args)
{
    int size, m;
    Py_ssize_t n, p;
    PyObject *objects[7]; /* X, coefs, intercepts, y, weight, gradient, bend */
    if (!PyArg_ParseTuple(args, "iinnOOOOOOO", &size, &m, &n, &p, objects, objects + 1, objects + 2, objects + 3, objects + 4,
                          objects + 5, objects + 6))
        return NULL;
    if (m < 0 || m > 2) return PyErr_Format(PyExc_ValueError, "%d directions, expected 0, 1 or 2", m);
    Py_buffer b[7];
    Py_ssize_t counts[7] = {n * p, (m + 1) * p, m + 1, n, n, p, n};
    Py_ssize_t sizes[7] = {size, size, 8, size, size, 8, size};
    PyObject *result = NULL;
    int got = get_all(objects, b, 7, 47, 5, counts, sizes);
    if (got < 7) goto done;
    double out[6] = {0, 0, 0, 0, 0, 0};
    Py_BEGIN_ALLOW_THREADS
    if (size == 8)
        plane_f64(b[0].buf, n, p, b[1].buf, b[2].buf, m, b[3].buf, data_or_null(b + 4), b[5].buf, data_or_null(b + 6), out);
    else
        plane_f32(b[0].buf, n, p, b[1].buf, b[2].buf, m, b[3].buf, data_or_null(b + 4), b[5].buf, data_or_null(b + 6), out);
    Py_END_ALLOW_THREADS
    result = Py_BuildValue("dddddd", out[0], out[1], out[2], out[3], out[4], out[5]);
done:
    release(b, got);
    return result;
}

static PyObject *py_columns(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, p;
    PyObject *objects[7]; /* X, shift, weight, target, sums, squares, cross */
    if (!PyArg_ParseTuple(args, "innOOOOOOO", &size, &n, &p, objects, objects + 1, objects + 2, objects + 3, objects + 4,
                          objects + 5, objects + 6))
        return NULL;
    Py_buffer b[7];
    Py_ssize_t counts[7] = {n * p, p, n, n, p, p, p};
    Py_ssize_t sizes[7] = {size, 8, size, 8, 8, 8, 8};
    PyObject *result = NULL;
    int got = get_all(objects, b, 7, 51, 4, counts, sizes);
    if (got < 7) goto done;
    double mass;
    Py_BEGIN_ALLOW_THREADS
    if (size == 8)
        mass = columns_f64(b[0].buf, n, p, b[1].buf, data_or_null(b + 2), data_or_null(b + 3), b[4].buf, b[5].buf,
                           data_or_null(b + 6));
    else
        mass = columns_f32(b[0].buf, n, p, b[1].buf, data_or_null(b + 2), data_or_null(b + 3), b[4].buf, b[5].buf,
                           data_or_null(b + 6));
    Py_END_ALLOW_THREADS
    result = PyFloat_FromDouble(mass);
done:
    release(b, got);
    return result;
}

static PyObject *py_distances(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, p;
    PyObject *objects[4]; /* X, centre, factor, out */
    if (!PyArg_ParseTuple(args, "innOOOO", &size, &n, &p, objects, objects + 1, objects + 2, objects + 3)) return NULL;
    Py_buffer b[4];
    Py_ssize_t counts[4] = {n * p, p, p, n};
    Py_ssize_t sizes[4] = {size, 8, 8, 8};
    PyObject *result = NULL;
    int got = get_all(objects, b, 4, 15, 3, counts, sizes);
    if (got < 4) goto done;
    Py_BEGIN_ALLOW_THREADS
    if (size == 8)
        distances_f64(b[0].buf, n, p, b[1].buf, b[2].buf, b[3].buf);
    else
        distances_f32(b[0].buf, n, p, b[1].buf, b[2].buf, b[3].buf);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
done:
    release(b, got);
    return result;
}

/* The columns of an array of two dimensions, or of one. */
static int get_rows(PyObject *object, Py_buffer *buffer, Py_ssize_t n, Py_ssize_t size, struct rows *rows)
{
    *rows = (struct rows){NULL, 0, 0, 0};
    buffer->obj = NULL;
    if (object == Py_None) return 0;
    if (PyObject_GetBuffer(object, buffer, PyBUF_STRIDES)) return -1;
    int two = buffer->ndim == 2;
    if ((!two && buffer->ndim != 1) || buffer->shape[0] != n || buffer->itemsize != size || buffer->strides[0] % size ||
        (two && buffer->strides[1] % size)) {
        PyErr_Format(PyExc_ValueError, "an array of %zd rows of numbers of %zd bytes is needed", n, size);
        PyBuffer_Release(buffer);
        buffer->obj = NULL;
        return -1;
    }
    *rows = (struct rows){buffer->buf, two ? buffer->shape[1] : 1, buffer->strides[0] / size, two ? buffer->strides[1] / size : 0};
    return 0;
}

/* What the next block of rows reads, or memory that is read anyway. */
static struct ahead ahead_of(const struct rows *X, const struct rows *T, Py_ssize_t n, Py_ssize_t start, Py_ssize_t size, const double *Z)
{
    struct ahead next = {{(const char *)Z, (const char *)Z}, {0, 0}, {1, 0}, 8 * size};
    start += GRAM_ROWS;
    for (int part = 0, k = 0; part < 2 && start < n; part++) {
        const struct rows *from = part ? T : X;
        if (!from->columns || (from->row != 1 && (from->column != 1 || from->row != from->columns))) continue;
        next.at[k] = (const char *)from->at + start * from->row * size;
        next.step[k] = (from->row == 1 ? from->column : GRAM_ROWS) * size;
        next.count[k++] = from->columns;
    }
    return next;
}

static PyObject *py_gram(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n;
    PyObject *objects[5]; /* X, T, weight, shift, out */
    if (!PyArg_ParseTuple(args, "inOOOOO", &size, &n, objects, objects + 1, objects + 2, objects + 3, objects + 4)) return NULL;
    Py_buffer b[5] = {0};
    struct rows X, T;
    PyObject *result = NULL;
    void *memory = NULL;
    if (get_rows(objects[0], b, n, size, &X) || get_rows(objects[1], b + 1, n, size, &T)) goto done;
    struct products products = products_here();
    Py_ssize_t order = X.columns + T.columns + 1, tile = products.tile, k = (order + tile - 1) / tile * tile;
    if (get(objects[2], b + 2, 0, n, size) || get(objects[3], b + 3, 0, order - 1, 8) || get(objects[4], b + 4, 1, order * order, 8))
        goto done;
    memory = PyMem_Calloc(k * GRAM_ROWS + k * (k + tile) / 2 * products.lanes + 8, sizeof(double));
    if (!memory) {
        PyErr_NoMemory();
        goto done;
    }
    Py_BEGIN_ALLOW_THREADS
    double *Z = (double *)(((uintptr_t)memory + 63) & ~(uintptr_t)63); /* a vector is then in one cache line */
    double *sum = Z + k * GRAM_ROWS, *out = b[4].buf;
    for (Py_ssize_t start = 0; start < n; start += GRAM_ROWS) {
        Py_ssize_t m = n - start < GRAM_ROWS ? n - start : GRAM_ROWS;
        if (size == 8)
            gather_f64(&X, &T, data_or_null(b + 2), b[3].buf, start, m, Z);
        else
            gather_f32(&X, &T, data_or_null(b + 2), b[3].buf, start, m, Z);
        struct ahead next = ahead_of(&X, &T, n, start, size, Z);
        products.add(Z, order, (m + 7) & ~(Py_ssize_t)7, &next, sum);
    }
    add_entries(&products, sum, order, out);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
done:
    PyMem_Free(memory);
    release(b, 5);
    return result;
}

/* The mean of every step-th number of a column of n, 0 where it is not finite: that is for the pass that meets it to say. */
static double few_mean(const char *at, Py_ssize_t apart, Py_ssize_t n, Py_ssize_t step, Py_ssize_t size)
{
    double sum = 0;
    Py_ssize_t count = (n + step - 1) / step;
    for (Py_ssize_t i = 0; i < count; i++, at += step * apart) sum += size == 8 ? *(const double *)at : *(const float *)at;
    sum /= (double)count;
    return isfinite(sum) ? sum : 0;
}

static PyObject *py_middle(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, step;
    PyObject *objects[3]; /* X, T, out */
    if (!PyArg_ParseTuple(args, "innOOO", &size, &n, &step, objects, objects + 1, objects + 2)) return NULL;
    if (n < 1 || step < 1) return PyErr_Format(PyExc_ValueError, "every %zdth of %zd rows", step, n);
    Py_buffer b[3] = {0};
    struct rows parts[2];
    PyObject *result = NULL;
    if (get_rows(objects[0], b, n, size, parts) || get_rows(objects[1], b + 1, n, size, parts + 1)) goto done;
    if (get(objects[2], b + 2, 1, parts[0].columns + parts[1].columns, 8)) goto done;
    double *out = b[2].buf;
    for (int part = 0; part < 2; part++)
        for (Py_ssize_t j = 0; j < parts[part].columns; j++)
            *out++ = few_mean((const char *)parts[part].at + j * parts[part].column * size, parts[part].row * size, n, step, size);
    result = Py_NewRef(Py_None);
done:
    release(b, 3);
    return result;
}

static PyObject *py_about_mean(PyObject *self, PyObject *args)
{
    PyObject *objects[2]; /* products, shift */
    if (!PyArg_ParseTuple(args, "OO", objects, objects + 1)) return NULL;
    Py_buffer b[2];
    Py_ssize_t order = PyObject_Length(objects[0]);
    if (order < 1) return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "products of no columns");
    if (get(objects[0], b, 1, order * order, 8)) return NULL;
    if (get(objects[1], b + 1, 1, order - 1, 8)) {
        PyBuffer_Release(b);
        return NULL;
    }
    double *products = b[0].buf, *shift = b[1].buf, trace = 0;
    const double *sums = products + (order - 1) * order; /* of Z; the last is that of the weights */
    double mass = sums[order - 1];
    for (Py_ssize_t i = 0; i < order - 1; i++) {
        trace += products[i * order + i];
        double offset = sums[i] / mass;
        for (Py_ssize_t j = 0; j <= i; j++) products[j * order + i] = products[i * order + j] -= offset * sums[j];
        shift[i] += offset;
    }
    PyBuffer_Release(b);
    PyBuffer_Release(b + 1);
    return Py_BuildValue("dd", mass, trace);
}

static PyObject *py_has_wide(PyObject *self, PyObject *none) { return PyBool_FromLong(wide()); }

static PyObject *py_sparse_outputs(PyObject *self, PyObject *args)
{
    int kind, size;
    Py_ssize_t k, n, p, values, start, stop;
    PyObject *objects[11]; /* rows, columns, values, coef, intercepts, y, weight, cells, gradient, totals, predictions */
    if (!PyArg_ParseTuple(args, "ininnnnnOOOOOOOOOOO", &kind, &k, &size, &n, &p, &values, &start, &stop, objects, objects + 1, objects + 2,
                          objects + 3, objects + 4, objects + 5, objects + 6, objects + 7, objects + 8, objects + 9, objects + 10))
        return NULL;
    if (k < 1 || k > CELLS / 8) return PyErr_Format(PyExc_ValueError, "%zd outputs, expected 1 to %d", k, CELLS / 8);
    Py_buffer b[11];
    Py_ssize_t counts[11] = {n + 1, values, values, p * k, k, n, n, n * k, p * k, k, n * k};
    Py_ssize_t sizes[11] = {4, 4, size, size, 8, 8, size, size, 8, 8, size};
    /* what is read whatever is asked for */
    int needed = 7 | (objects[3] == Py_None ? 1 << 7 : 1 << 4);
    if (objects[8] != Py_None) needed |= 1 << 9 | (kind == MULTINOMIAL) << 5 | (kind == CURVED) << 7;
    PyObject *result = NULL;
    int got = get_all(objects, b, 11, needed, 8, counts, sizes);
    if (got < 11) goto done;
    if (!sparse_rows(b[0].buf, n, start, stop, values)) goto done;
    double value;
    Py_BEGIN_ALLOW_THREADS
#define SPARSE_OUTPUTS(RUN)                                                                                                      \
    RUN(kind, start, stop, b[0].buf, b[1].buf, b[2].buf, k, data_or_null(b + 3), data_or_null(b + 4), data_or_null(b + 5),       \
        data_or_null(b + 6), data_or_null(b + 7), data_or_null(b + 8), data_or_null(b + 9), data_or_null(b + 10))
    value = size == 8 ? SPARSE_OUTPUTS(sparse_outputs_f64) : SPARSE_OUTPUTS(sparse_outputs_f32);
    Py_END_ALLOW_THREADS
    result = PyFloat_FromDouble(value);
done:
    release(b, got);
    return result;
}

static PyObject *py_sparse_gram(PyObject *self, PyObject *args)
{
    int size;
    Py_ssize_t n, p, values, start, stop;
    PyObject *objects[5]; /* rows, columns, values, weight, out */
    if (!PyArg_ParseTuple(args, "innnnnOOOOO", &size, &n, &p, &values, &start, &stop, objects, objects + 1, objects + 2, objects + 3,
                          objects + 4))
        return NULL;
    Py_buffer b[5];
    Py_ssize_t counts[5] = {n + 1, values, values, n, (p + 1) * (p + 1)};
    Py_ssize_t sizes[5] = {4, 4, size, size, 8};
    PyObject *result = NULL;
    int got = get_all(objects, b, 5, 23, 4, counts, sizes);
    if (got < 5) goto done;
    if (!sparse_rows(b[0].buf, n, start, stop, values)) goto done;
    Py_BEGIN_ALLOW_THREADS
    if (size == 8)
        sparse_gram_f64(start, stop, b[0].buf, b[1].buf, b[2].buf, p, data_or_null(b + 3), b[4].buf);
    else
        sparse_gram_f32(start, stop, b[0].buf, b[1].buf, b[2].buf, p, data_or_null(b + 3), b[4].buf);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
done:
    release(b, got);
    return result;
}

static PyMethodDef methods[] = {
    {"plane", py_plane, METH_VARARGS,
     "plane(itemsize, m, n, p, X, coefs, intercepts, y, weight, gradient, bend) -> (value, total, mass, h, h, h)\n\n"
     "The binomial loss at X coefs[0] + intercepts[0] and its Hessian along m more; adds X' r to gradient, fills bend."},
    {"columns", py_columns, METH_VARARGS,
     "columns(itemsize, n, p, X, shift, weight, target, sums, squares, cross) -> mass\n\n"
     "Adds the weighted sums of z = X - shift, of its squares and of its products with a target; mass is that of the weights."},
    {"distances", py_distances, METH_VARARGS,
     "distances(itemsize, n, p, X, centre, factor, out)\n\n"
     "Fills out with the rows' squared distances from the centre, each column's times its factor."},
    {"sweep", py_sweep, METH_VARARGS,
     "sweep(kind, itemsize, n, p, X, coef, intercept, y, weight, gradient, raw) -> (value, total)\n\n"
     "Adds X' r to gradient; value is the sum of the losses and total that of r, the slopes at X coef + intercept, kept in raw."},
    {"outputs", py_outputs, METH_VARARGS,
     "outputs(kind, itemsize, k, X, coef, intercepts, y, weight, cells, gradient, totals, raw) -> value\n\n"
     "A sweep for k outputs: value is the sum of the losses; adds R' X to gradient and the sums of R, the weighted slopes at "
     "X coef' + intercepts, to totals. Curved, R is the Hessian's product with them, and cells are the probabilities; without "
     "coef, R is cells. Predictions are kept in raw; without gradient there is nothing else."},
    {"sparse_sweep", py_sparse_sweep, METH_VARARGS,
     "sparse_sweep(kind, itemsize, n, p, values, start, stop, rows, columns, X, coef, intercept, y, weight, cells, gradient, raw) -> "
     "(value, total)\n\n"
     "A sweep over some of the n compressed sparse rows of X; without coef its slopes are cells, without gradient it only fills raw."},
    {"sparse_columns", py_sparse_columns, METH_VARARGS,
     "sparse_columns(itemsize, n, p, values, start, stop, rows, columns, X, weight, target, centre, sums)\n\n"
     "Adds to sums, p x 4, over the stored values of some rows: the weights, the values less the centre, their squares and their "
     "products with the target."},
    {"trial", py_trial, METH_VARARGS,
     "trial(itemsize, n, k, a, b, y, weight, base, first, second, raw, slope, bend) -> (value, g, g, h, h, h)\n\n"
     "The binomial (k = 1) or multinomial loss at base + a first + b second, its gradient and Hessian along the two; fills raw, "
     "slope, bend."},
    {"search", py_search, METH_VARARGS,
     "search(itemsize, n, k, a, b, y, weight, base, first, second, raw, slope, bend, (mean, constant, along, along, forms, forms, "
     "forms), (origin, noise, accuracy, parallel, promised, match)) -> (a, b, value, promised, match)\n\n"
     "A Newton search from a, b over both; fills raw, slope, bend at its end."},
    {"gram", py_gram, METH_VARARGS,
     "gram(itemsize, n, X, T, weight, shift, out)\n\n"
     "Adds Z'Z to out, which is symmetric, where Z = [X T 1] less the shift (none of the ones), its rows times the roots of the weights."},
    {"middle", py_middle, METH_VARARGS,
     "middle(itemsize, n, step, X, T, out)\n\nFills out with the means of every step-th row of [X T], 0 where they are not finite."},
    {"about_mean", py_about_mean, METH_VARARGS,
     "about_mean(products, shift) -> (mass, trace)\n\n"
     "From what gram fills, moments about the shift, to moments about the mean, which shift becomes; the trace is that before."},
    {"has_wide", py_has_wide, METH_NOARGS, "has_wide() -> bool\n\nWhether symmetric products are made in vectors of 512 bits."},
    {"mirror", py_mirror, METH_O,
     "mirror(mapping) -> Mirror\n\nA second mapping of a memory map, read-only, in which lost pages are zeros; OSError where there is none."},
    {"sparse_outputs", py_sparse_outputs, METH_VARARGS,
     "sparse_outputs(kind, k, itemsize, n, p, values, start, stop, rows, columns, X, coef, intercepts, y, weight, cells, gradient, totals, "
     "raw) -> value\n\n"
     "As outputs, over some of the n compressed sparse rows of X; coef and gradient are by columns of X, k numbers each."},
    {"sparse_gram", py_sparse_gram, METH_VARARGS,
     "sparse_gram(itemsize, n, p, values, start, stop, rows, columns, X, weight, out)\n\n"
     "Adds products of the columns of X, and of ones behind them, over some of its compressed sparse rows, whose columns rise, to the "
     "lower triangle of out."},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_kernels", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernels(void) { return add_mirror() ? NULL : PyModule_Create(&module); }
