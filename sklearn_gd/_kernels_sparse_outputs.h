/* Passes over compressed sparse rows of REAL, with indices of 32 bits; included by _kernels_typed.h once for each type.

   Two uses: sweeps for several outputs, and symmetric products, whose cost is that of the pairs of a row's values. */

/* As NAME(outputs), over the rows from start to stop; all arrays are whole. Coefficients and gradient hold a column's outputs side by
   side: a stored value meets all of them at once. */
static void NAME(sparse_outputs)(struct call *c)
{
    const int32_t *rows = c->array['O'], *at = c->array['J'];
    const REAL *x = c->array['X'], *cells = c->array['C'];
    const double *W = c->array['W'], *intercepts = c->array['A'];
    double *restrict gradient = c->array['G'], *totals = c->array['T'];
    REAL *predictions = c->array['P'];
    double r[CELLS], q[CELLS], s[CELLS / 8], f[CELLS / 8];
    Py_ssize_t start = c->number['b'], stop = c->number['e'], k = c->number['k'], lane = lane_of(k);
    for (; start < stop; start += lane) {
        Py_ssize_t m = stop - start < lane ? stop - start : lane;
        if (W) {
            for (Py_ssize_t i = 0; i < m; i++) {
                for (Py_ssize_t o = 0; o < k; o++) s[o] = 0;
                for (int32_t j = rows[start + i]; j < rows[start + i + 1]; j++) {
                    const double *from = W + at[j] * k;
                    double v = x[j];
                    for (Py_ssize_t o = 0; o < k; o++) s[o] += v * from[o];
                }
                for (Py_ssize_t o = 0; o < k; o++) r[o * lane + i] = s[o] + intercepts[o];
            }
            if (predictions) NAME(bring_in)(r, m, k, lane, predictions + start * k);
        } else {
            NAME(spread_out)(cells + start * k, m, k, lane, r);
        }
        if (!gradient) continue;
        c->sum[0] += NAME(outcome)(c, start, m, lane, q, r);
        for (Py_ssize_t i = 0; i < m; i++) {
            for (Py_ssize_t o = 0; o < k; o++) totals[o] += f[o] = r[o * lane + i];
            for (int32_t j = rows[start + i]; j < rows[start + i + 1]; j++) {
                double *restrict to = gradient + at[j] * k;
                double v = x[j];
                for (Py_ssize_t o = 0; o < k; o++) to[o] += v * f[o];
            }
        }
    }
}

/* The same for models of their own. */
static void NAME(sparse_models)(struct call *c)
{
    c->number['f'] = BINOMIAL;
    NAME(sparse_outputs)(c);
}

/* Adds products of the p columns and of ones behind them, rows times weights, to the lower triangle of out. A row's columns rise. */
static void NAME(sparse_gram)(struct call *c)
{
    const int32_t *rows = c->array['O'], *at = c->array['J'];
    const REAL *x = c->array['X'], *weight = c->array['S'];
    double *restrict out = c->array['G'];
    Py_ssize_t start = c->number['b'], stop = c->number['e'], p = c->number['p'];
    double *restrict ones = out + p * (p + 1);
    for (; start < stop; start++) {
        double w = weight ? weight[start] : 1.0;
        int32_t first = rows[start], end = rows[start + 1];
        for (int32_t i = first; i < end; i++) {
            double v = w * x[i];
            double *restrict to = out + at[i] * (p + 1);
            for (int32_t j = first; j <= i; j++) to[at[j]] += v * x[j];
            ones[at[i]] += v;
        }
        ones[p] += w;
    }
}
