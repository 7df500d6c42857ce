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
INLINE void NAME(add_eight)(const REAL *x0, const REAL *x1, const REAL *x2, const REAL *x3, const double *w, vec *s)
{
    for (int k = 0; k < EIGHT; k++) {
        vec v = *(const vec *)(w + k * LANES);
        s[k] += VEC(x0 + k * LANES) * v;
        s[k + EIGHT] += VEC(x1 + k * LANES) * v;
        s[k + 2 * EIGHT] += VEC(x2 + k * LANES) * v;
        s[k + 3 * EIGHT] += VEC(x3 + k * LANES) * v;
    }
}

/* Four rows times a vector at once: the vector is read once for them. Memory is asked for numbers that are `ahead`; `far` ones come
   into the second cache, so that they do not displace the rows that are read again. */
INLINE void NAME(dots_ahead)(const REAL *X, Py_ssize_t rows, Py_ssize_t p, const double *w, double b, double *restrict raw,
                             Py_ssize_t ahead, const int far)
{
    enum { N = LINE / sizeof(REAL) };
    for (Py_ssize_t i = 0; i < rows; i += 4) {
        Py_ssize_t m = rows - i; /* the last row stands in for those that there are not: equal rows have equal sums, wherever they are */
        const REAL *x0 = X + i * p, *x1 = m > 1 ? x0 + p : x0, *x2 = m > 2 ? x1 + p : x1, *x3 = m > 3 ? x2 + p : x2;
        vec s[4 * EIGHT];
        for (int k = 0; k < 4 * EIGHT; k++) s[k] = (vec){0};
        rest q0 = {0}, q1 = q0, q2 = q0, q3 = q0;
        double t0 = 0, t1 = 0, t2 = 0, t3 = 0;
        Py_ssize_t j = 0;
        for (; j + N <= p; j += N) {
            FETCH(x0 + j + ahead);
            FETCH(x1 + j + ahead);
            FETCH(x2 + j + ahead);
            FETCH(x3 + j + ahead);
            for (Py_ssize_t h = j; h < j + N; h += 8) NAME(add_eight)(x0 + h, x1 + h, x2 + h, x3 + h, w + h, s);
        }
        for (; j + 8 <= p; j += 8) NAME(add_eight)(x0 + j, x1 + j, x2 + j, x3 + j, w + j, s);
        for (; j + REST <= p; j += REST) {
            rest v = *(const rest *)(w + j);
            q0 += FEW(x0 + j) * v;
            q1 += FEW(x1 + j) * v;
            q2 += FEW(x2 + j) * v;
            q3 += FEW(x3 + j) * v;
        }
        for (; j < p; j++) {
            t0 += x0[j] * w[j];
            t1 += x1[j] * w[j];
            t2 += x2[j] * w[j];
            t3 += x3[j] * w[j];
        }
        raw[i] = sum_of(s, &q0, t0) + b;
        if (m > 1) raw[i + 1] = sum_of(s + EIGHT, &q1, t1) + b;
        if (m > 2) raw[i + 2] = sum_of(s + 2 * EIGHT, &q2, t2) + b;
        if (m > 3) raw[i + 3] = sum_of(s + 3 * EIGHT, &q3, t3) + b;
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

/* Predictions become weighted slopes, in place; adds to the sums of the losses and of the slopes. */
static void NAME(slopes)(int kind, Py_ssize_t n, const REAL *y, const REAL *weight, double *restrict raw, double *value,
                                 double *total)
{
    double v = 0, t = 0, w[PART];
    NAME(weights)(n, weight, w);
    if (kind == BINOMIAL) {
#pragma omp simd reduction(+ : v, t)
        for (Py_ssize_t i = 0; i < n; i++) {
            double loss, slope, bend;
            binomial(y[i], raw[i], &loss, &slope, &bend);
            v += w[i] * loss;
            raw[i] = w[i] * slope;
            t += w[i] * slope;
        }
    } else {
        if (kind == SQUARED) {
#pragma omp simd
            for (Py_ssize_t i = 0; i < n; i++) raw[i] -= y[i];
        }
#pragma omp simd reduction(+ : v, t)
        for (Py_ssize_t i = 0; i < n; i++) {
            double residual = raw[i];
            v += 0.5 * w[i] * residual * residual;
            raw[i] = w[i] * residual;
            t += w[i] * residual;
        }
    }
    *value += v;
    *total += t;
}

static void NAME(sweep)(int kind, const REAL *X, Py_ssize_t n, Py_ssize_t p, const double *coef, double intercept,
                       const REAL *y, const REAL *weight, double *gradient, REAL *predictions, double *value,
                       double *total)
{
    double raw[PART];
    /* a vector of what takes longer than a product */
    Py_ssize_t least = kind == BINOMIAL ? 8 : 4, rows = p ? ROWS_BYTES / (p * (Py_ssize_t)sizeof(REAL)) : PART;
    rows = rows < least ? least : rows > PART ? PART : rows & ~(Py_ssize_t)3;
    for (Py_ssize_t start = 0; start < n; start += rows) {
        Py_ssize_t m = n - start < rows ? n - start : rows;
        const REAL *block = X + start * p;
        NAME(dots)(block, m, p, coef, intercept, raw);
        if (predictions) {
#pragma omp simd
            for (Py_ssize_t i = 0; i < m; i++) predictions[start + i] = (REAL)raw[i];
        }
        NAME(slopes)(kind, m, y ? y + start : NULL, weight ? weight + start : NULL, raw, value, total);
        NAME(adjoint)(block, m, p, raw, gradient);
    }
}

/* The binomial loss at X coefs[0], its gradient, and its Hessian along the directions coefs[1] and coefs[2] of which there are m;
   out gets the sums of the losses, of the slopes and of the bends, and the three forms; bend, unless NULL, each row's own. */
static void NAME(plane)(const REAL *X, Py_ssize_t n, Py_ssize_t p, const double *coefs, const double *intercepts, int m,
                                const REAL *y, const REAL *weight, double *gradient, REAL *bend, double *out)
{
    double r[PART], f[PART], e[PART], h[PART], w[PART];
    Py_ssize_t rows = p ? ROWS_BYTES / (p * (Py_ssize_t)sizeof(REAL)) : PART;
    rows = rows < 8 ? 8 : rows > PART ? PART : rows & ~(Py_ssize_t)3;
    for (Py_ssize_t start = 0; start < n; start += rows) {
        Py_ssize_t k = n - start < rows ? n - start : rows;
        const REAL *block = X + start * p;
        double value = 0, total = 0, mass = 0, h00 = 0, h01 = 0, h11 = 0;
        NAME(dots)(block, k, p, coefs, intercepts[0], r);
        if (m > 0) NAME(dots)(block, k, p, coefs + p, intercepts[1], f);
        if (m > 1) NAME(dots)(block, k, p, coefs + 2 * p, intercepts[2], e);
        NAME(weights)(k, weight ? weight + start : NULL, w);
#pragma omp simd reduction(+ : value, total, mass)
        for (Py_ssize_t i = 0; i < k; i++) {
            double loss, slope, bent;
            binomial(y[start + i], r[i], &loss, &slope, &bent);
            value += w[i] * loss;
            r[i] = w[i] * slope;
            total += r[i];
            h[i] = bent;
            mass += w[i] * bent;
        }
        if (bend) {
#pragma omp simd
            for (Py_ssize_t i = 0; i < k; i++) bend[start + i] = (REAL)h[i];
        }
        if (m > 0) {
#pragma omp simd reduction(+ : h00)
            for (Py_ssize_t i = 0; i < k; i++) {
                h[i] *= w[i];
                h00 += h[i] * f[i] * f[i];
            }
        }
        if (m > 1) {
#pragma omp simd reduction(+ : h01, h11)
            for (Py_ssize_t i = 0; i < k; i++) {
                h01 += h[i] * f[i] * e[i];
                h11 += h[i] * e[i] * e[i];
            }
        }
        NAME(adjoint)(block, k, p, r, gradient);
        out[0] += value;
        out[1] += total;
        out[2] += mass;
        out[3] += h00;
        out[4] += h01;
        out[5] += h11;
    }
}

static void NAME(trial)(Py_ssize_t n, const double *a, const REAL *y, const REAL *weight, const REAL *base,
                                const REAL *first, const REAL *second, REAL *raw, REAL *slope, REAL *bend, double *out)
{
    double r[PART], s[PART], h[PART], w[PART];
    for (Py_ssize_t start = 0; start < n; start += PART) {
        Py_ssize_t m = n - start < PART ? n - start : PART;
        double value = 0, g0 = 0, g1 = 0, h00 = 0, h01 = 0, h11 = 0;
        const REAL *f = first ? first + start : NULL, *e = second ? second + start : NULL;
#pragma omp simd
        for (Py_ssize_t i = 0; i < m; i++) r[i] = base[start + i];
        if (f) {
#pragma omp simd
            for (Py_ssize_t i = 0; i < m; i++) r[i] += a[0] * f[i];
        }
        if (e) {
#pragma omp simd
            for (Py_ssize_t i = 0; i < m; i++) r[i] += a[1] * e[i];
        }
#pragma omp simd
        for (Py_ssize_t i = 0; i < m; i++) raw[start + i] = (REAL)r[i];
        NAME(weights)(m, weight ? weight + start : NULL, w);
#pragma omp simd reduction(+ : value)
        for (Py_ssize_t i = 0; i < m; i++) {
            double loss, sl, be;
            binomial(y[start + i], r[i], &loss, &sl, &be);
            s[i] = w[i] * sl;
            h[i] = be;
            value += w[i] * loss;
        }
        if (slope) {
#pragma omp simd
            for (Py_ssize_t i = 0; i < m; i++) slope[start + i] = (REAL)s[i];
            if (f) {
#pragma omp simd reduction(+ : g0)
                for (Py_ssize_t i = 0; i < m; i++) g0 += s[i] * f[i];
            }
            if (e) {
#pragma omp simd reduction(+ : g1)
                for (Py_ssize_t i = 0; i < m; i++) g1 += s[i] * e[i];
            }
        }
        if (bend) {
#pragma omp simd
            for (Py_ssize_t i = 0; i < m; i++) bend[start + i] = (REAL)h[i];
#pragma omp simd
            for (Py_ssize_t i = 0; i < m; i++) h[i] *= w[i];
            if (f) {
#pragma omp simd reduction(+ : h00)
                for (Py_ssize_t i = 0; i < m; i++) h00 += h[i] * f[i] * f[i];
            }
            if (e) {
#pragma omp simd reduction(+ : h01, h11)
                for (Py_ssize_t i = 0; i < m; i++) {
                    h01 += h[i] * f[i] * e[i];
                    h11 += h[i] * e[i] * e[i];
                }
            }
        }
        out[0] += value;
        out[1] += g0;
        out[2] += g1;
        out[3] += h00;
        out[4] += h01;
        out[5] += h11;
    }
}

/* Sums over rows of z = x - shift, of z squared and of z times a target, each times its weight; returns the sum of the weights. */
static double NAME(columns)(const REAL *X, Py_ssize_t n, Py_ssize_t p, const double *shift, const REAL *weight,
                                    const double *target, double *restrict sums, double *restrict squares,
                                    double *restrict cross)
{
    double mass = 0;
    Py_ssize_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const REAL *x0 = X + i * p, *x1 = x0 + p, *x2 = x1 + p, *x3 = x2 + p;
        double w0 = 1, w1 = 1, w2 = 1, w3 = 1;
        if (weight) w0 = weight[i], w1 = weight[i + 1], w2 = weight[i + 2], w3 = weight[i + 3];
        mass += (w0 + w1) + (w2 + w3);
#pragma omp simd
        for (Py_ssize_t j = 0; j < p; j++) {
            double z0 = x0[j] - shift[j], z1 = x1[j] - shift[j], z2 = x2[j] - shift[j], z3 = x3[j] - shift[j];
            sums[j] += (w0 * z0 + w1 * z1) + (w2 * z2 + w3 * z3);
            squares[j] += (w0 * z0 * z0 + w1 * z1 * z1) + (w2 * z2 * z2 + w3 * z3 * z3);
        }
        if (target) {
            double t0 = w0 * target[i], t1 = w1 * target[i + 1], t2 = w2 * target[i + 2], t3 = w3 * target[i + 3];
#pragma omp simd
            for (Py_ssize_t j = 0; j < p; j++)
                cross[j] += (t0 * (x0[j] - shift[j]) + t1 * (x1[j] - shift[j])) +
                            (t2 * (x2[j] - shift[j]) + t3 * (x3[j] - shift[j]));
        }
    }
    for (; i < n; i++) {
        const REAL *x = X + i * p;
        double w = weight ? weight[i] : 1, t = target ? w * target[i] : 0;
        mass += w;
#pragma omp simd
        for (Py_ssize_t j = 0; j < p; j++) {
            double z = x[j] - shift[j];
            sums[j] += w * z;
            squares[j] += w * z * z;
        }
        if (target) {
#pragma omp simd
            for (Py_ssize_t j = 0; j < p; j++) cross[j] += t * (x[j] - shift[j]);
        }
    }
    return mass;
}

/* The squared distance of each row from a centre, every column times a factor. */
static void NAME(distances)(const REAL *X, Py_ssize_t n, Py_ssize_t p, const double *centre, const double *factor,
                                    double *restrict out)
{
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

static void NAME(evaluate)(const struct NAME(plane) * s, const double *a, double *out)
{
    for (int j = 0; j < 6; j++) out[j] = 0;
    if (s->k > 1)
        NAME(softmax)(s->n, s->k, a, s->y, s->weight, s->base, s->first, s->second, s->raw, s->slope, s->bend, out);
    else
        NAME(trial)(s->n, a, s->y, s->weight, s->base, s->first, s->second, s->raw, s->slope, s->bend, out);
    for (int j = 0; j < 6; j++) out[j] *= s->mean;
    double bent0 = s->forms[0] * a[0] + s->forms[1] * a[1], bent1 = s->forms[1] * a[0] + s->forms[2] * a[1];
    out[0] += s->constant + (s->along[0] + 0.5 * bent0) * a[0] + (s->along[1] + 0.5 * bent1) * a[1];
    out[1] += s->along[0] + bent0;
    out[2] += s->along[1] + bent1;
    for (int j = 0; j < 3; j++) out[3 + j] += s->forms[j];
}

/* steps.newton_search, number for number, in the whole plane; `a` is the first trial and becomes the last. */
static void NAME(search)(const struct NAME(plane) * s, double *a, double origin, double noise, double accuracy, double parallel,
                         double *promised, double *match, double *out)
{
    double new[6], trial[2], step[2];
    NAME(evaluate)(s, a, out);
    if (a[0] != 0 || a[1] != 0) {
        if (*promised > 0) *match = 1 + out[1] / *promised;
        if (!(out[0] <= origin + noise)) {
            a[0] = a[1] = 0;
            NAME(evaluate)(s, a, out);
        }
    }
    for (int k = 0; k < 20; k++) {
        newton_step(s->second != NULL, out, parallel, step);
        double decrement = -(step[0] * out[1] + step[1] * out[2]);
        if (a[0] == 0 && a[1] == 0)
            *promised = decrement;
        else if (!(decrement > accuracy * accuracy * *promised))
            break;
        if (!(decrement > 0)) break;
        double t = 1;
        int taken = 0;
        for (int j = 0; j < 30 && !taken; j++, t *= 0.25) {
            trial[0] = a[0] + t * step[0];
            trial[1] = a[1] + t * step[1];
            NAME(evaluate)(s, trial, new);
            taken = new[0] <= out[0] - 1e-4 * t * decrement ||
                    (new[0] <= out[0] + noise && fabs(new[1] * step[0] + new[2] * step[1]) <= decrement);
        }
        if (!taken) {
            NAME(evaluate)(s, a, out); /* the arrays are those of the last trial that was taken */
            break;
        }
        a[0] = trial[0];
        a[1] = trial[1];
        memcpy(out, new, sizeof new);
    }
}

/* A strip of one column less a shift, times the roots of the weights, where there are any. */
INLINE void NAME(place)(const REAL *x, Py_ssize_t row, Py_ssize_t m, double c, const double *root, double *restrict z)
{
    if (root) {
        for (Py_ssize_t i = 0; i < m; i++) z[i] = (x[i * row] - c) * root[i];
    } else {
        for (Py_ssize_t i = 0; i < m; i++) z[i] = x[i * row] - c;
    }
}

#ifdef SWAP
typedef REAL NAME(four) __attribute__((vector_size(4 * sizeof(REAL)), ANYWHERE(REAL)));

/* The same of four columns, whose rows are contiguous, four rows at a time. */
INLINE void NAME(place_four)(const REAL *x, Py_ssize_t row, const double *c, const double *root, double *restrict z)
{
    four r[4], t[4], shift;
    memcpy(&shift, c, sizeof shift);
    for (Py_ssize_t i = 0; i < STRIP; i += 4) {
        for (int k = 0; k < 4; k++) r[k] = __builtin_convertvector(*(const NAME(four) *)(x + (i + k) * row), four) - shift;
        for (int k = 0; k < 4; k += 2) {
            t[k] = SWAP(r[k], r[k + 1], 0, 4, 2, 6);
            t[k + 1] = SWAP(r[k], r[k + 1], 1, 5, 3, 7);
        }
        for (int k = 0; k < 2; k++) {
            r[k] = SWAP(t[k], t[k + 2], 0, 1, 4, 5);
            r[k + 2] = SWAP(t[k], t[k + 2], 2, 3, 6, 7);
        }
        for (int k = 0; k < 4; k++) {
            if (root) r[k] *= *(const four *)(root + i);
            memcpy(z + k * GRAM_ROWS + i, r + k, sizeof *r);
        }
    }
}
#endif

/* Rows of [X − c, T − d, 1] √w as columns of doubles, GRAM_ROWS apart; short blocks are filled up with zeros to whole vectors. */
static void NAME(gather)(const struct rows *X, const struct rows *T, const REAL *weight, const double *shift,
                                 Py_ssize_t start, Py_ssize_t m, double *restrict Z)
{
    double ones[GRAM_ROWS], *root = weight ? ones : NULL;
    Py_ssize_t full = (m + 7) & ~(Py_ssize_t)7;
    for (Py_ssize_t i = 0; i < m; i++) ones[i] = weight ? sqrt((double)weight[start + i]) : 1.0;
    for (Py_ssize_t i = m; i < full; i++) ones[i] = 0.0;
    for (int part = 0; part < 2; part++) {
        const struct rows *from = part ? T : X;
        const REAL *x = (const REAL *)from->at + start * from->row;
        Py_ssize_t p = from->columns;
        if (from->row == 1) { /* contiguous columns have no cache lines to share: each of them at once */
            for (Py_ssize_t j = 0; j < p; j++) {
                const REAL *column = x + j * from->column;
                NAME(place)(column, 1, m, shift[j], root, Z + j * GRAM_ROWS);
            }
        } else {
            for (Py_ssize_t i = 0; i < m; i += STRIP, x += STRIP * from->row) {
                Py_ssize_t j = 0, rows = m - i < STRIP ? m - i : STRIP;
                const double *part_root = root ? root + i : NULL;
#ifdef SWAP
                if (from->column == 1 && rows == STRIP)
                    for (; j + 4 <= p; j += 4) NAME(place_four)(x + j, from->row, shift + j, part_root, Z + j * GRAM_ROWS + i);
#endif
                for (; j < p; j++) NAME(place)(x + j * from->column, from->row, rows, shift[j], part_root, Z + j * GRAM_ROWS + i);
            }
        }
        for (Py_ssize_t j = 0; j < p; j++, Z += GRAM_ROWS)
            for (Py_ssize_t i = m; i < full; i++) Z[i] = 0.0;
        shift += p;
    }
    memcpy(Z, ones, full * sizeof(double));
}
