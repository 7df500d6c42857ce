/* Passes over compressed sparse rows of REAL, with indices of 32 bits; included by _kernels_typed.h once for each type.

   Two uses: sweeps for several outputs, and symmetric products, whose cost is that of the pairs of a row's values. */

/* As NAME(outputs), over the rows from start to stop; all arrays are whole. Coefficients and gradient hold a column's outputs side by
   side: a stored value meets all of them at once. */
static double NAME(sparse_outputs)(int kind, Py_ssize_t start, Py_ssize_t stop, const int32_t *rows, const int32_t *at,
                                           const REAL *x, Py_ssize_t k, const double *W, const double *intercepts, const int64_t *y,
                                           const REAL *weight, const REAL *cells, double *restrict gradient, double *totals,
                                           REAL *predictions)
{
    double r[CELLS], q[CELLS], value = 0;
    double s[CELLS / 8], f[CELLS / 8];
    Py_ssize_t lane = lane_of(k);
    for (; start < stop; start += lane) {
        Py_ssize_t m = stop - start < lane ? stop - start : lane;
        if (W) {
            for (Py_ssize_t i = 0; i < m; i++) {
                for (Py_ssize_t c = 0; c < k; c++) s[c] = 0;
                for (int32_t j = rows[start + i]; j < rows[start + i + 1]; j++) {
                    const double *from = W + at[j] * k;
                    double v = x[j];
                    for (Py_ssize_t c = 0; c < k; c++) s[c] += v * from[c];
                }
                for (Py_ssize_t c = 0; c < k; c++) r[c * lane + i] = s[c] + intercepts[c];
            }
            if (predictions) NAME(bring_in)(r, m, k, lane, predictions + start * k);
        } else {
            NAME(spread_out)(cells + start * k, m, k, lane, r);
        }
        if (!gradient) continue;
        value += NAME(outcome)(kind, start, m, k, lane, y, weight, cells, q, r);
        for (Py_ssize_t i = 0; i < m; i++) {
            for (Py_ssize_t c = 0; c < k; c++) totals[c] += f[c] = r[c * lane + i];
            for (int32_t j = rows[start + i]; j < rows[start + i + 1]; j++) {
                double *restrict to = gradient + at[j] * k;
                double v = x[j];
                for (Py_ssize_t c = 0; c < k; c++) to[c] += v * f[c];
            }
        }
    }
    return value;
}

/* Adds products of the p columns and of ones behind them, rows times weights, to the lower triangle of out. A row's columns rise. */
static void NAME(sparse_gram)(Py_ssize_t start, Py_ssize_t stop, const int32_t *rows, const int32_t *at, const REAL *x, Py_ssize_t p,
                              const REAL *weight, double *restrict out)
{
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
