/* Losses: what a prediction costs, its first two derivatives, and sums of them along directions; included by _kernels_loops.h.

   Adding one: a function of one prediction and its row below, and its kind in _kernels_levels.h and in compiled.py. What couples the
   outputs of a sample, as the multinomial loss does, is written for a block of them. */

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

/* log(t) for a normal t > 0: t = 2^k f with f from sqrt(1/2) to sqrt(2), k ln 2 + 2 artanh((f - 1)/(f + 1)). */
INLINE double log_of(double t)
{
    uint64_t bits, one = 0x3ff0000000000000u, half_root = 0x3fe6a09e667f3bcdu; /* 1 and sqrt(1/2) */
    memcpy(&bits, &t, 8);
    bits += one - half_root;
    double k = (double)(int32_t)(bits >> 52) - 1023.0, f;
    bits = (bits & 0xfffffffffffffu) + half_root;
    memcpy(&f, &bits, 8);
    return t - t /* NaN of NaN */ + k * 0.6931471805599453 + twice_artanh((f - 1.0) / (f + 1.0));
}

/* ------------------------------------------------------------------------------------------- losses of one prediction

   Each is a function and a row: value, slope and second derivative at a prediction, of a loss with up to four numbers of its own. All
   loops of one output are made of it. */

INLINE void squared(const double *own, double y, double raw, double *value, double *slope, double *second)
{
    double residual = raw - y;
    *value = 0.5 * residual * residual;
    *slope = residual;
    *second = 1.0;
}

/* log(1 + exp(-y raw)); y is -1 or +1. */
INLINE void binomial(const double *own, double y, double raw, double *value, double *slope, double *second)
{
    double margin = y * raw;
    double tail = exp_minus(fabs(margin));
    double right = 1.0 / (1.0 + tail);
    double wrong = margin < 0 ? right : tail * right;
    *value = log1p_unit(tail) - (margin > 0 ? 0.0 : margin);
    *slope = -y * wrong;
    *second = tail * right * right;
}

/* factor H(raw - y) + tilt (raw - y) + level, H(r) half the square of r up to a threshold and straight beyond: threshold, factor, tilt, level. */
INLINE void huber(const double *own, double y, double raw, double *value, double *slope, double *second)
{
    double residual = raw - y, size = fabs(residual), threshold = own[0];
    double within = size < threshold ? size : threshold;
    *value = own[1] * within * (size - 0.5 * within) + own[2] * residual + own[3];
    *slope = own[1] * copysign(within, residual) + own[2];
    *second = size <= threshold ? own[1] : 0.0;
}

/* factor (exp(raw) - y raw + y log y - y): factor. */
INLINE void poisson(const double *own, double y, double raw, double *value, double *slope, double *second)
{
    double tail = exp_minus(fabs(raw)), mean = raw > 0 ? 1.0 / tail : tail;
    double relative = y > 0 ? log_of(y) - raw : 0.0;
    *value = own[0] * (mean - y + y * relative);
    *slope = own[0] * (mean - y);
    *second = own[0] * mean;
}

#define LOSSES(LOSS)         \
    LOSS(SQUARED, squared)   \
    LOSS(BINOMIAL, binomial) \
    LOSS(HUBER, huber)       \
    LOSS(POISSON, poisson)

INLINE double product(Py_ssize_t m, const double *s, const double *u)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Py_ssize_t i = 0; i < m; i++) sum += s[i] * u[i];
    return sum;
}

/* Adds the Hessian's forms of the directions u and v, or of u alone, twice; h holds weighted second derivatives. */
INLINE void add_forms(Py_ssize_t m, const double *h, const double *u, const double *v, double *sum)
{
    double h00 = 0, h01 = 0, h11 = 0;
    if (!u) return;
    if (!v) v = u;
#pragma omp simd reduction(+ : h00, h01, h11)
    for (Py_ssize_t i = 0; i < m; i++) {
        double hu = h[i] * u[i], hv = h[i] * v[i];
        h00 += hu * u[i];
        h01 += hu * v[i];
        h11 += hv * v[i];
    }
    sum[3] += h00;
    sum[4] += h01;
    sum[5] += h11;
}

INLINE void add_times(Py_ssize_t m, double a, const double *u, double *restrict r)
{
#pragma omp simd
    for (Py_ssize_t i = 0; i < m; i++) r[i] += a * u[i];
}

/* --------------------------------------------------------------------------------------- losses that couple outputs */

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
        value += w[i] * (log_of(sum[i]) + (peak[i] - loss[i]));
        sum[i] = 1 / sum[i];
    }
    scaled(m, k, lane, sum, r);
    return value;
}

/* Probabilities become weighted slopes. */
static void class_slopes(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const int64_t *y, const double *w, double *restrict r)
{
    for (Py_ssize_t i = 0; i < m; i++) r[y[i] * lane + i] -= 1;
    scaled(m, k, lane, w, r);
}

/* Predictions of several models of two classes, an output each, become their weighted slopes; adds their losses to values. */
static void models_of_two(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const int64_t *y, const double *w, double *restrict r,
                          double *restrict values)
{
    double sign[LANE];
    for (Py_ssize_t i = 0; i < m; i++) sign[i] = (double)y[i];
    for (Py_ssize_t c = 0; c < k; c++) {
        double *restrict row = r + c * lane;
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (Py_ssize_t i = 0; i < m; i++) {
            double value, slope, second;
            binomial(NULL, sign[i], row[i], &value, &slope, &second);
            row[i] = w[i] * slope;
            sum += w[i] * value;
        }
        values[c] += sum;
    }
}

/* The mean of each sample's predictions in a direction, in its probabilities p. */
static void mean_of(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const double *p, const double *u, double *restrict mean)
{
    for (Py_ssize_t i = 0; i < m; i++) mean[i] = 0;
    for (Py_ssize_t c = 0; c < k * lane; c += lane) {
#pragma omp simd
        for (Py_ssize_t i = 0; i < m; i++) mean[i] += p[c + i] * u[c + i];
    }
}

/* A direction's predictions become the weighted Hessian's product with them; p holds the probabilities. */
static void hessian_product(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const double *p, const double *w, double *restrict u)
{
    double mean[LANE];
    mean_of(m, k, lane, p, u, mean);
    for (Py_ssize_t c = 0; c < k * lane; c += lane) {
#pragma omp simd
        for (Py_ssize_t i = 0; i < m; i++) u[c + i] = w[i] * p[c + i] * (u[c + i] - mean[i]);
    }
}

/* Predictions r become probabilities; adds the sums of the losses, and the slopes and forms of the directions u and v. */
static void class_trial(Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, const int64_t *y, const double *w, const double *u,
                        const double *v, double *restrict r, double *sum)
{
    const double *along[2] = {u, v};
    double mean[2][LANE], centred[2][LANE], h[LANE];
    sum[0] += probabilities(m, k, lane, y, w, r);
    for (int d = 0; d < 2 && along[d]; d++) {
        mean_of(m, k, lane, r, along[d], mean[d]);
        for (Py_ssize_t i = 0; i < m; i++) sum[1 + d] += w[i] * (mean[d][i] - along[d][y[i] * lane + i]);
    }
    for (Py_ssize_t c = 0; u && c < k * lane; c += lane) {
#pragma omp simd
        for (Py_ssize_t i = 0; i < m; i++) h[i] = w[i] * r[c + i];
        for (int d = 0; d < 2 && along[d]; d++) {
#pragma omp simd
            for (Py_ssize_t i = 0; i < m; i++) centred[d][i] = along[d][c + i] - mean[d][i];
        }
        add_forms(m, h, centred[0], v ? centred[1] : NULL, sum);
    }
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
