/* Loops for arrays of REAL; included by _kernels_loops.h once for each type. */

#if BYTES > 8
/* As many numbers of X as a register holds in double precision, and what is left of eight. */
typedef REAL NAME(vec) __attribute__((vector_size(LANES * sizeof(REAL)), ANYWHERE(REAL)));
typedef REAL NAME(rest) __attribute__((vector_size(REST * sizeof(REAL)), ANYWHERE(REAL)));
#else
typedef REAL NAME(vec), NAME(rest);
#endif
/* Such of X, in double precision. */
#define VEC(x) CONVERT(*(const NAME(vec) *)(x), vec)
#define FEW(x) CONVERT(*(const NAME(rest) *)(x), rest)

#define FETCH(x) (far ? PREFETCH(x, 0, 2) : PREFETCH(x))

/* Adds eight columns of four rows times those of a vector. */
INLINE void NAME(add_eight)(const REAL *const *x, Py_ssize_t j, const double *w, vec *s)
{
    for (int k = 0; k < EIGHT; k++) {
        vec v = *(const vec *)(w + j + k * LANES);
        for (int l = 0; l < 4; l++) s[k + l * EIGHT] += VEC(x[l] + j + k * LANES) * v;
    }
}

/* Four rows times a vector at once: the vector is read once for them. Memory is asked for numbers that are `ahead`; `far` ones come
   into the second cache, so that they do not displace the rows that are read again. */
INLINE void NAME(dots_ahead)(const REAL *X, Py_ssize_t rows, Py_ssize_t p, const double *w, double b, double *restrict raw,
                             Py_ssize_t ahead, const int far)
{
    enum { N = LINE / sizeof(REAL) };
    for (Py_ssize_t i = 0; i < rows; i += 4) {
        const REAL *x[4]; /* the last row stands in for those that there are not: equal rows have equal sums, wherever they are */
        for (int l = 0; l < 4; l++) x[l] = X + (i + l < rows ? i + l : rows - 1) * p;
        vec s[4 * EIGHT];
        rest q[4];
        double t[4] = {0};
        for (int k = 0; k < 4 * EIGHT; k++) s[k] = (vec){0};
        for (int l = 0; l < 4; l++) q[l] = (rest){0};
        Py_ssize_t j = 0;
        for (; j + N <= p; j += N) {
            for (int l = 0; l < 4; l++) FETCH(x[l] + j + ahead);
            for (Py_ssize_t h = j; h < j + N; h += 8) NAME(add_eight)(x, h, w, s);
        }
        for (; j + 8 <= p; j += 8) NAME(add_eight)(x, j, w, s);
        for (; j + REST <= p; j += REST) {
            rest v = *(const rest *)(w + j);
            for (int l = 0; l < 4; l++) q[l] += FEW(x[l] + j) * v;
        }
        for (; j < p; j++)
            for (int l = 0; l < 4; l++) t[l] += x[l][j] * w[j];
        for (int l = 0; l < 4 && i + l < rows; l++) raw[i + l] = sum_of(s + l * EIGHT, q + l, t[l]) + b;
    }
}
#undef FETCH

static void NAME(dots)(const REAL *X, Py_ssize_t rows, Py_ssize_t p, const double *w, double b, double *restrict raw)
{
    enum { AHEAD = AHEAD_BYTES / sizeof(REAL) };
    /* Of long rows the next four, each while its place in these is read: squared error of 20,000 x 1,000 in float32 2.34 ms without,
       2.18 so. */
    if (4 * p > AHEAD)
        NAME(dots_ahead)(X, rows, p, w, b, raw, 4 * p, 1);
    else
        NAME(dots_ahead)(X, rows, p, w, b, raw, AHEAD, 0);
}

/* The adjoint: eight rows at once, so that the sum is read and written once for them. */
static void NAME(add_rows)(const REAL *X, Py_ssize_t rows, Py_ssize_t p, const double *r, double *restrict out)
{
    Py_ssize_t i = 0;
    for (; i + 8 <= rows; i += 8) {
        const REAL *x = X + i * p;
        const double *f = r + i;
        Py_ssize_t j = 0;
        for (; j + LANES <= p; j += LANES) *(vec *)(out + j) += EIGHT_ROWS(VEC, x + j);
        for (; j < p; j++) out[j] += EIGHT_ROWS(*, x + j);
    }
    for (; i < rows; i++) {
        const REAL *x = X + i * p;
#pragma omp simd
        for (Py_ssize_t j = 0; j < p; j++) out[j] += r[i] * x[j];
    }
}

/* So many columns at a time, from j on. */
#define STRIPE(numbers, sums, n)                                                                           \
    for (; j + (n) <= p; j += (n)) {                                                                       \
        sums sum = *(const sums *)(out + j);                                                               \
        const REAL *x = X + j;                                                                             \
        for (const double *f = r; f < r + eights; f += 8, x += 8 * p) sum += EIGHT_ROWS(numbers, x);       \
        *(sums *)(out + j) = sum;                                                                          \
    }

/* The adjoint of a few columns, some of them at a time: their sums stay in registers. */
static void NAME(add_columns)(const REAL *X, Py_ssize_t rows, Py_ssize_t p, const double *r, double *restrict out)
{
    Py_ssize_t j = 0, eights = rows & ~(Py_ssize_t)7;
    STRIPE(VEC, vec, LANES)
    STRIPE(FEW, rest, REST)
    STRIPE(*, double, 1)
    NAME(add_rows)(X + eights * p, rows - eights, p, r + eights, out);
}
#undef STRIPE
#undef VEC
#undef FEW

static void NAME(adjoint)(const REAL *X, Py_ssize_t rows, Py_ssize_t p, const double *r, double *restrict out)
{
    if (p <= FEW_COLUMNS)
        NAME(add_columns)(X, rows, p, r, out);
    else
        NAME(add_rows)(X, rows, p, r, out);
}

/* Weights, or ones: a choice within the loops below would keep the compiler from vectorising them. */
INLINE void NAME(weights)(Py_ssize_t n, const REAL *weight, double *restrict out)
{
    if (weight) {
#pragma omp simd
        for (Py_ssize_t i = 0; i < n; i++) out[i] = weight[i];
    } else {
#pragma omp simd
        for (Py_ssize_t i = 0; i < n; i++) out[i] = 1.0;
    }
}

/* Predictions r of m samples become weighted slopes; adds the sums of the losses and of the slopes to sum. Where `curved`, second gets the
   second derivatives. The kind is known where this is compiled; of others the prediction is its own slope. */
INLINE void NAME(slopes_of)(const int kind, const int curved, const double *numbers, Py_ssize_t m, const REAL *y, const double *w,
                            double *restrict r, double *restrict second, double *sum)
{
    double value = 0, total = 0, own[4] = {0, 0, 0, 0};
    for (int j = 0; numbers && j < 4; j++) own[j] = numbers[j];
#pragma omp simd reduction(+ : value, total)
    for (Py_ssize_t i = 0; i < m; i++) {
        double loss = 0.5 * r[i] * r[i], slope = r[i], curvature = 1.0;
#define LOSS(KIND, function) \
    if (kind == KIND) function(own, y[i], r[i], &loss, &slope, &curvature);
        LOSSES(LOSS)
#undef LOSS
        value += w[i] * loss;
        r[i] = w[i] * slope;
        total += r[i];
        if (curved) second[i] = curvature;
    }
    sum[0] += value;
    sum[1] += total;
}

static void NAME(slopes)(int kind, const double *own, Py_ssize_t m, const REAL *y, const double *w, double *restrict r,
                         double *restrict second, double *sum)
{
    switch (kind) {
#define LOSS(KIND, function)                                        \
    case KIND:                                                      \
        if (second)                                                 \
            NAME(slopes_of)(KIND, 1, own, m, y, w, r, second, sum); \
        else                                                        \
            NAME(slopes_of)(KIND, 0, own, m, y, w, r, second, sum); \
        break;
        LOSSES(LOSS)
#undef LOSS
    default: NAME(slopes_of)(PLAIN, 0, NULL, m, y, w, r, second, sum);
    }
}

/* Numbers in double precision: where they are, or a copy in `room`. */
INLINE const double *NAME(doubles)(const REAL *from, Py_ssize_t m, double *restrict room)
{
    if (sizeof(REAL) == sizeof(double) || !from) return (const double *)(const void *)from;
#pragma omp simd
    for (Py_ssize_t i = 0; i < m; i++) room[i] = from[i];
    return room;
}

INLINE void NAME(keep)(const double *from, Py_ssize_t m, REAL *restrict to)
{
#pragma omp simd
    for (Py_ssize_t i = 0; i < m; i++) to[i] = (REAL)from[i];
}

/* Rows of p numbers that are read again while they are in the cache; `least` of them at the least. */
INLINE Py_ssize_t NAME(block_rows)(Py_ssize_t p, Py_ssize_t least)
{
    Py_ssize_t rows = p ? ROWS_BYTES / (p * (Py_ssize_t)sizeof(REAL)) : PART;
    return rows < least ? least : rows > PART ? PART : rows & ~(Py_ssize_t)3;
}

static void NAME(sweep)(struct call *c)
{
    const REAL *X = c->array['X'], *y = c->array['Y'], *weight = c->array['S'];
    REAL *predictions = c->array['P'];
    double raw[PART], w[PART];
    int kind = (int)c->number['f'];
    /* a vector of what takes longer than a product */
    Py_ssize_t n = c->number['n'], p = c->number['p'], rows = NAME(block_rows)(p, kind > SQUARED ? 8 : 4);
    for (Py_ssize_t start = 0; start < n; start += rows) {
        Py_ssize_t m = n - start < rows ? n - start : rows;
        const REAL *block = X + start * p;
        NAME(dots)(block, m, p, c->array['W'], c->real[0], raw);
        if (predictions) NAME(keep)(raw, m, predictions + start);
        NAME(weights)(m, weight ? weight + start : NULL, w);
        NAME(slopes)(kind, c->array['L'], m, y ? y + start : NULL, w, raw, NULL, c->sum);
        NAME(adjoint)(block, m, p, raw, c->array['G']);
    }
}

/* The binomial loss, its gradient, and its Hessian along m directions. */
static void NAME(plane)(struct call *c)
{
    const REAL *X = c->array['X'], *y = c->array['Y'], *weight = c->array['S'];
    const double *coefs = c->array['W'], *intercepts = c->array['A'];
    REAL *second = c->array['H'];
    double r[PART], along[2][PART], h[PART], w[PART], sum[2] = {0, 0}, curvature = 0;
    Py_ssize_t n = c->number['n'], p = c->number['p'], m = c->number['m'], rows = NAME(block_rows)(p, 8);
    for (Py_ssize_t start = 0; start < n; start += rows) {
        Py_ssize_t k = n - start < rows ? n - start : rows;
        const REAL *block = X + start * p;
        NAME(dots)(block, k, p, coefs, intercepts[0], r);
        for (Py_ssize_t d = 0; d < m; d++) NAME(dots)(block, k, p, coefs + (d + 1) * p, intercepts[d + 1], along[d]);
        NAME(weights)(k, weight ? weight + start : NULL, w);
        NAME(slopes)(BINOMIAL, NULL, k, y + start, w, r, h, sum);
        if (second) NAME(keep)(h, k, second + start);
        scaled(k, 1, k, w, h);
        for (Py_ssize_t i = 0; i < k; i++) curvature += h[i];
        add_forms(k, h, m > 0 ? along[0] : NULL, m > 1 ? along[1] : NULL, c->sum);
        NAME(adjoint)(block, k, p, r, c->array['G']);
    }
    c->sum[0] = sum[0];
    c->sum[1] = sum[1];
    c->sum[2] = curvature;
}

/* Sums over rows of z = x - shift, of z squared and of z times a target, each times its weight; and the sum of the weights. */
static void NAME(columns)(struct call *c)
{
    const REAL *X = c->array['X'], *weight = c->array['S'];
    const double *shift = c->array['C'], *target = c->array['Y'];
    double *restrict sums = c->array['G'], *restrict squares = c->array['H'], *restrict cross = c->array['T'], mass = 0;
    Py_ssize_t n = c->number['n'], p = c->number['p'];
    for (Py_ssize_t i = 0; i < n; i += 4) {
        const REAL *x[4]; /* rows that are missing are the last one, which then has no weight */
        double w[4], t[4];
        for (int l = 0; l < 4; l++) {
            Py_ssize_t row = i + l < n ? i + l : n - 1;
            x[l] = X + row * p;
            w[l] = i + l >= n ? 0 : weight ? weight[row] : 1;
            t[l] = target ? w[l] * target[row] : 0;
        }
        const REAL *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
        mass += (w[0] + w[1]) + (w[2] + w[3]);
#pragma omp simd
        for (Py_ssize_t j = 0; j < p; j++) {
            double z0 = x0[j] - shift[j], z1 = x1[j] - shift[j], z2 = x2[j] - shift[j], z3 = x3[j] - shift[j];
            sums[j] += (w[0] * z0 + w[1] * z1) + (w[2] * z2 + w[3] * z3);
            squares[j] += (w[0] * z0 * z0 + w[1] * z1 * z1) + (w[2] * z2 * z2 + w[3] * z3 * z3);
        }
        if (!target) continue;
#pragma omp simd
        for (Py_ssize_t j = 0; j < p; j++)
            cross[j] += (t[0] * (x0[j] - shift[j]) + t[1] * (x1[j] - shift[j])) + (t[2] * (x2[j] - shift[j]) + t[3] * (x3[j] - shift[j]));
    }
    c->sum[0] = mass;
}

/* The squared distance of each row from a centre, every column times a factor. */
static void NAME(distances)(struct call *c)
{
    const REAL *X = c->array['X'];
    const double *centre = c->array['C'], *factor = c->array['W'];
    double *restrict out = c->array['G'];
    Py_ssize_t n = c->number['n'], p = c->number['p'];
    for (Py_ssize_t i = 0; i < n; i++) {
        const REAL *x = X + i * p;
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (Py_ssize_t j = 0; j < p; j++) {
            double z = x[j] - centre[j];
            sum += factor[j] * z * z;
        }
        out[i] = sum;
    }
}

#include "_kernels_outputs_typed.h"
#include "_kernels_sparse_outputs.h"
#include "_kernels_sparse.h"
#include "_kernels_trials.h"
#include "_kernels_gram.h"
#include "_kernels_shifted.h"
