/* The loops of _kernels.c over compressed sparse rows of REAL, with indices of 32 bits; included by _kernels_typed.h once for each type. */

/* A row's stored values times a vector: four sums, so that none waits for the one before, but for short rows, where each loop's end
   is guessed wrong and costs as much as ten values. */
INLINE double NAME(sparse_dot)(const REAL *x, const int32_t *at, Py_ssize_t count, const double *w)
{
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    Py_ssize_t j = 0;
    for (; count >= SHORT_ROW && j + 4 <= count; j += 4) {
        s0 += x[j] * w[at[j]];
        s1 += x[j + 1] * w[at[j + 1]];
        s2 += x[j + 2] * w[at[j + 2]];
        s3 += x[j + 3] * w[at[j + 3]];
    }
    for (; j < count; j++) s0 += x[j] * w[at[j]];
    return (s0 + s1) + (s2 + s3);
}

/* A sweep over the rows from start to stop, all arrays whole; without a coefficient vector the weighted slopes are `cells`. */
static void NAME(sparse_sweep)(struct call *c)
{
    const int32_t *rows = c->array['O'], *at = c->array['J'];
    const REAL *x = c->array['X'], *y = c->array['Y'], *weight = c->array['S'], *cells = c->array['C'];
    const double *coef = c->array['W'];
    double *restrict gradient = c->array['G'], raw[PART], w[PART];
    REAL *predictions = c->array['P'];
    Py_ssize_t start = c->number['b'], stop = c->number['e'];
    const int32_t most = ROWS_BYTES / (sizeof(REAL) + sizeof(int32_t));
    while (start < stop) {
        Py_ssize_t m = stop - start < PART ? stop - start : PART;
        while (m > 1 && rows[start + m] - rows[start] > most) m /= 2;
        if (coef) {
            for (Py_ssize_t i = 0; i < m; i++) {
                int32_t from = rows[start + i];
                raw[i] = NAME(sparse_dot)(x + from, at + from, rows[start + i + 1] - from, coef) + c->real[0];
            }
            if (predictions) NAME(keep)(raw, m, predictions + start);
            NAME(weights)(m, weight ? weight + start : NULL, w);
            if (gradient) NAME(slopes)((int)c->number['f'], c->array['L'], m, y ? y + start : NULL, w, raw, NULL, c->sum);
        } else {
            for (Py_ssize_t i = 0; i < m; i++) c->sum[1] += raw[i] = cells[start + i];
        }
        for (Py_ssize_t i = 0; gradient && i < m; i++) {
            double r = raw[i];
            for (int32_t j = rows[start + i]; j < rows[start + i + 1]; j++) gradient[at[j]] += r * x[j];
        }
        start += m;
    }
}

/* Adds up, over the stored values of each column: the weights, the values less the column's centre, their squares and their products
   with a target; side by side, where one line of the cache has them. */
static void NAME(sparse_columns)(struct call *c)
{
    const int32_t *rows = c->array['O'], *at = c->array['J'];
    const REAL *x = c->array['X'], *weight = c->array['S'];
    const double *target = c->array['Y'], *centre = c->array['C'];
    double *restrict sums = c->array['G'];
    Py_ssize_t start = c->number['b'], stop = c->number['e'];
    for (; start < stop; start++) {
        double w = weight ? weight[start] : 1.0, t = target ? w * target[start] : 0;
        for (int32_t j = rows[start]; j < rows[start + 1]; j++) {
            double z = x[j] - (centre ? centre[at[j]] : 0), *sum = sums + 4 * (Py_ssize_t)at[j];
            sum[0] += w;
            sum[1] += w * z;
            sum[2] += w * z * z;
            sum[3] += t * z;
        }
    }
}
