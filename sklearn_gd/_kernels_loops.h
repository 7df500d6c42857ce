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

#ifdef TILES
/* Stretch j of both, or the last one. */
static const char *stretch(const struct ahead *next, Py_ssize_t j)
{
    int part = j >= next->count[0] && next->count[1];
    if (part) j -= next->count[0];
    return next->at[part] + (j < next->count[part] ? j : next->count[part] - 1) * next->step[part];
}

/* Columns of a tile: its 25 sums, five columns and a sixth are all but one of the registers that there are. */
#define SIDE 5

/* Products of r columns by SIDE others, or by each other: those on and below the diagonal. */
INLINE void add_tile(const int r, const int diagonal, const vec *x, const vec *y, Py_ssize_t m,
                     const char *const *ahead, Py_ssize_t line, vec *sum)
{
    const Py_ssize_t next = GRAM_ROWS / 8; /* column */
    const char *p0 = ahead[0], *p1 = ahead[1], *p2 = ahead[2];
    vec s[SIDE * SIDE] = {0};
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
static void add_tiles(const double *restrict Z, Py_ssize_t k, Py_ssize_t m, const struct ahead *next, double *restrict sums)
{
    vec *sum = (vec *)sums;
    Py_ssize_t side = (k + SIDE - 1) / SIDE, tiles = side * (side + 1) / 2, tile = 0, count = next->count[0] + next->count[1];
    for (Py_ssize_t a = 0; a < k; a += SIDE) {
        const vec *x = (const vec *)(Z + a * GRAM_ROWS);
        const vec *y = (const vec *)Z;
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
#else
/* Nine entries at once: with the columns they take all registers that there are without AVX-512. */
static void add_nine(const double *restrict Z, Py_ssize_t k, Py_ssize_t m, const struct ahead *next, double *restrict sum)
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

/* From one output's predictions to the next's. */
INLINE Py_ssize_t lane_of(Py_ssize_t k) { return CELLS / k < LANE ? CELLS / k & ~(Py_ssize_t)7 : LANE; }

/* Each output's row times one factor a sample. */
static void scaled(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const double *w, double *restrict r)
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
static void slopes_of(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const int64_t *y, const double *w, double *restrict r)
{
    for (Py_ssize_t i = 0; i < m; i++) r[y[i] * lane + i] -= 1;
    scaled(m, k, lane, w, r);
}

/* Predictions become weighted slopes of the multinomial loss; returns the sum of the losses. */
static double class_slopes(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const int64_t *y, const double *w, double *restrict r)
{
    double value = probabilities(m, k, lane, y, w, r);
    slopes_of(m, k, lane, y, w, r);
    return value;
}

/* A direction's predictions become the weighted Hessian's product with them; q holds the probabilities. */
static void bent(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const double *q, const double *w, double *restrict r)
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
static void move(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const double *a, const double *u, const double *v,
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
static void class_trial(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const int64_t *y, const double *w, const double *u,
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

#define LOOPS(of)                                                                                                                 \
    {sweep_##of,     plane_##of,  outputs_##of,      evaluate_##of,       search_##of,         columns_##of,                     \
     distances_##of, gather_##of, sparse_sweep_##of, sparse_columns_##of, sparse_outputs_##of, sparse_gram_##of}
#ifdef TILES
#define PRODUCTS {SIDE, 8, add_tiles}
#else
#define PRODUCTS {3, 1, add_nine}
#endif
const struct level LEVEL = {LEVEL_NAME, LOOPS(f64), LOOPS(f32), PRODUCTS};
