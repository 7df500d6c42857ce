/* The loops of one level for arrays of REAL; included by _kernels_levels.h once for each type. */

/* What a search minimises: sums over the samples of NAME(trial) or NAME(softmax), times `mean`, and the penalty's part. */
struct NAME(plane) {
    Py_ssize_t n, k;
    const void *y;
    const REAL *weight, *base, *first, *second;
    REAL *raw, *slope, *bend;
    double mean, constant, along[2], forms[3];
};

struct NAME(loops) {
    void (*sweep)(int kind, const REAL *X, Py_ssize_t n, Py_ssize_t p, const double *coef, double intercept, const REAL *y,
                  const REAL *weight, double *gradient, REAL *predictions, double *value, double *total);
    void (*plane)(const REAL *X, Py_ssize_t n, Py_ssize_t p, const double *coefs, const double *intercepts, int m, const REAL *y,
                  const REAL *weight, double *gradient, REAL *bend, double *out);
    double (*outputs)(int kind, const REAL *X, Py_ssize_t row, Py_ssize_t n, Py_ssize_t p, Py_ssize_t k, const double *W,
                      const double *intercepts, const int64_t *y, const REAL *weight, const REAL *cells, double *gradient,
                      double *totals, REAL *predictions);
    void (*evaluate)(const struct NAME(plane) * s, const double *a, double *out);
    void (*search)(const struct NAME(plane) * s, double *a, double origin, double noise, double accuracy, double parallel,
                   double *promised, double *match, double *out);
    double (*columns)(const REAL *X, Py_ssize_t n, Py_ssize_t p, const double *shift, const REAL *weight, const double *target,
                      double *sums, double *squares, double *cross);
    void (*distances)(const REAL *X, Py_ssize_t n, Py_ssize_t p, const double *centre, const double *factor, double *out);
    void (*gather)(const struct rows *X, const struct rows *T, const REAL *weight, const double *shift, Py_ssize_t start, Py_ssize_t m,
                   double *Z);
    void (*sparse_sweep)(int kind, Py_ssize_t start, Py_ssize_t stop, const int32_t *rows, const int32_t *at, const REAL *x,
                         const double *coef, double intercept, const REAL *y, const REAL *weight, const REAL *cells, double *gradient,
                         REAL *predictions, double *value, double *total);
    void (*sparse_columns)(Py_ssize_t start, Py_ssize_t stop, const int32_t *rows, const int32_t *at, const REAL *x,
                           const REAL *weight, const double *target, const double *centre, double *sums);
    double (*sparse_outputs)(int kind, Py_ssize_t start, Py_ssize_t stop, const int32_t *rows, const int32_t *at, const REAL *x,
                             Py_ssize_t k, const double *W, const double *intercepts, const int64_t *y, const REAL *weight,
                             const REAL *cells, double *gradient, double *totals, REAL *predictions);
    void (*sparse_gram)(Py_ssize_t start, Py_ssize_t stop, const int32_t *rows, const int32_t *at, const REAL *x, Py_ssize_t p,
                        const REAL *weight, double *out);
};
