/* The loops of _kernels.c for arrays of REAL; included once for each type. */

/* Four rows times a vector at once: the vector is read once for them. */
VECTORS static void NAME(dots)(const REAL *X, Py_ssize_t rows, Py_ssize_t p, const REAL *w, double b, double *restrict raw)
{
    Py_ssize_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        const REAL *x0 = X + i * p, *x1 = x0 + p, *x2 = x1 + p, *x3 = x2 + p;
        REAL s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
        for (Py_ssize_t j = 0; j < p; j++) {
            s0 += x0[j] * w[j];
            s1 += x1[j] * w[j];
            s2 += x2[j] * w[j];
            s3 += x3[j] * w[j];
        }
        raw[i] = s0 + b;
        raw[i + 1] = s1 + b;
        raw[i + 2] = s2 + b;
        raw[i + 3] = s3 + b;
    }
    for (; i < rows; i++) {
        const REAL *x = X + i * p;
        REAL s = 0;
#pragma omp simd reduction(+ : s)
        for (Py_ssize_t j = 0; j < p; j++) s += x[j] * w[j];
        raw[i] = s + b;
    }
}

/* The adjoint: four rows at once, so that the sum is read and written once for them. */
VECTORS static void NAME(adjoint)(const REAL *X, Py_ssize_t rows, Py_ssize_t p, const double *r, double *restrict out)
{
    Py_ssize_t i = 0;
    for (; i + 4 <= rows; i += 4) {
        const REAL *x0 = X + i * p, *x1 = x0 + p, *x2 = x1 + p, *x3 = x2 + p;
        REAL r0 = (REAL)r[i], r1 = (REAL)r[i + 1], r2 = (REAL)r[i + 2], r3 = (REAL)r[i + 3];
#pragma omp simd
        for (Py_ssize_t j = 0; j < p; j++) out[j] += (r0 * x0[j] + r1 * x1[j]) + (r2 * x2[j] + r3 * x3[j]);
    }
    for (; i < rows; i++) {
        const REAL *x = X + i * p;
        REAL s = (REAL)r[i];
#pragma omp simd
        for (Py_ssize_t j = 0; j < p; j++) out[j] += s * x[j];
    }
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
VECTORS static void NAME(slopes)(int kind, Py_ssize_t n, const REAL *y, const REAL *weight, double *restrict raw, double *value,
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

static int NAME(sweep)(int kind, const REAL *X, Py_ssize_t n, Py_ssize_t p, const REAL *coef, double intercept,
                       const REAL *y, const REAL *weight, double *gradient, REAL *predictions, double *value,
                       double *total)
{
    double raw[PART];
    Py_ssize_t rows = p ? ROWS_BYTES / (p * (Py_ssize_t)sizeof(REAL)) : PART;
    rows = rows < 4 ? 4 : rows > PART ? PART : rows & ~(Py_ssize_t)3;
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
    return 0;
}

VECTORS static void NAME(trial)(Py_ssize_t n, const double *a, const REAL *y, const REAL *weight, const REAL *base,
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
VECTORS static double NAME(columns)(const REAL *X, Py_ssize_t n, Py_ssize_t p, const double *shift, const REAL *weight,
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
VECTORS static void NAME(distances)(const REAL *X, Py_ssize_t n, Py_ssize_t p, const double *centre, const double *factor,
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
