/* Products of a block of rows with several outputs, and back, in double precision; included by _kernels_loops.h. */

/* Rows whose sums for eight outputs are kept in registers: eight vectors of them, as many as two units of multiplication with a latency of
   four need. */
#define ROWS LANES
/* Vectors of columns whose sums for five outputs are: of 32 registers four, of 16 two. */
#define ACROSS (BYTES > 32 ? 4 : 2)

/* Adds X W to raw, of `columns` columns. W holds eight outputs for each of p columns, then the next ones. Vectors hold outputs: so
   nothing is added up across one, and rows of X may begin anywhere. */
static void predict(const double *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t columns, Py_ssize_t p, Py_ssize_t k, const double *W,
                    Py_ssize_t lane, double *restrict raw)
{
    for (Py_ssize_t i = 0; i < m; i += ROWS) {
        const double *x[ROWS]; /* rows that are missing are the last one, and not used */
        for (int l = 0; l < ROWS; l++) x[l] = X + (i + l < m ? i + l : m - 1) * row;
        for (Py_ssize_t c = 0; c < k; c += WIDTH) {
            vec s[ROWS * EIGHT];
            for (int l = 0; l < ROWS * EIGHT; l++) s[l] = (vec){0};
            for (Py_ssize_t j = 0; j < columns; j++) {
                const double *w = W + c * p + j * WIDTH;
                for (int v = 0; v < EIGHT; v++) {
                    vec u = *(const vec *)(w + v * LANES);
                    for (int l = 0; l < ROWS; l++) s[l * EIGHT + v] += u * x[l][j];
                }
            }
            Py_ssize_t most = k - c < WIDTH ? k - c : WIDTH;
            for (int l = 0; l < ROWS; l++) {
                double sums[WIDTH];
                memcpy(sums, s + l * EIGHT, sizeof sums);
                for (Py_ssize_t o = 0; o < most; o++) raw[(c + o) * lane + i + l] += sums[o];
            }
        }
    }
}

/* Adds r' X to out: vectors hold columns, `outputs` times `vectors` of them at once. */
INLINE void back_block(const double *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t p, Py_ssize_t lane, const double *r,
                       double *restrict out, const int outputs, const int vectors)
{
    vec s[5 * ACROSS];
    for (int v = 0; v < outputs * vectors; v++) s[v] = (vec){0};
    for (Py_ssize_t i = 0; i < m; i++)
        for (int v = 0; v < vectors; v++) {
            vec x = *(const vec *)(X + i * row + v * LANES);
            for (int o = 0; o < outputs; o++) s[o * vectors + v] += x * r[o * lane + i];
        }
    for (int o = 0; o < outputs; o++)
        for (int v = 0; v < vectors; v++) *(vec *)(out + o * p + v * LANES) += s[o * vectors + v];
}

INLINE void back_columns(const double *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t columns, Py_ssize_t p, Py_ssize_t lane,
                         const double *r, double *restrict out, const int outputs)
{
    Py_ssize_t j = 0;
    for (; j + ACROSS * LANES <= columns; j += ACROSS * LANES) back_block(X + j, row, m, p, lane, r, out + j, outputs, ACROSS);
    for (; j + LANES <= columns; j += LANES) back_block(X + j, row, m, p, lane, r, out + j, outputs, 1);
    for (; j < columns; j++)
        for (int o = 0; o < outputs; o++) {
            double sum = 0;
            for (Py_ssize_t i = 0; i < m; i++) sum += r[o * lane + i] * X[i * row + j];
            out[o * p + j] += sum;
        }
}

/* The same for k outputs, of `columns` of p columns. */
static void back(const double *X, Py_ssize_t row, Py_ssize_t m, Py_ssize_t columns, Py_ssize_t p, Py_ssize_t k, Py_ssize_t lane,
                 const double *r, double *restrict out)
{
    for (Py_ssize_t c = 0; c < k; c += 5) {
        const double *from = r + c * lane;
        double *to = out + c * p;
        switch (k - c < 5 ? k - c : 5) {
        case 1: back_columns(X, row, m, columns, p, lane, from, to, 1); break;
        case 2: back_columns(X, row, m, columns, p, lane, from, to, 2); break;
        case 3: back_columns(X, row, m, columns, p, lane, from, to, 3); break;
        case 4: back_columns(X, row, m, columns, p, lane, from, to, 4); break;
        default: back_columns(X, row, m, columns, p, lane, from, to, 5);
        }
    }
}
