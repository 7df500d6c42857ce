/* Trials of a search: a loss at base + a first + b second, and its derivatives there; included by _kernels_typed.h once for each type. */

/* A direction's predictions by outputs, where there is one: where they are, or a copy in `room`. */
INLINE const double *NAME(by_outputs)(const REAL *from, Py_ssize_t m, Py_ssize_t k, Py_ssize_t lane, double *room)
{
    if (!from || k == 1) return NAME(doubles)(from, m, room);
    NAME(spread_out)(from, m, k, lane, room);
    return room;
}

static void NAME(trial_at)(const struct call *c, const double *a, double *sum)
{
    const REAL *base = c->array['B'], *first = c->array['U'], *second = c->array['V'], *weight = c->array['S'];
    REAL *raw = c->array['P'], *slope = c->array['G'], *curvature = c->array['H'];
    double r[CELLS], u[CELLS], v[CELLS], h[PART], w[PART];
    Py_ssize_t n = c->number['n'], k = c->number['k'], lane = k == 1 ? PART : CELLS / k < LANE ? CELLS / k : LANE;
    for (int j = 0; j < 6; j++) sum[j] = 0;
    for (Py_ssize_t start = 0; start < n; start += lane) {
        Py_ssize_t m = n - start < lane ? n - start : lane, at = start * k;
        NAME(spread_out)(base + at, m, k, lane, r);
        const double *f = NAME(by_outputs)(first ? first + at : NULL, m, k, lane, u);
        const double *e = NAME(by_outputs)(second ? second + at : NULL, m, k, lane, v);
        for (Py_ssize_t j = 0; j < k * lane; j += lane) {
            if (f) add_times(m, a[0], f + j, r + j);
            if (e) add_times(m, a[1], e + j, r + j);
        }
        if (raw) NAME(bring_in)(r, m, k, lane, raw + at);
        NAME(weights)(m, weight ? weight + start : NULL, w);
        if (k == 1) {
            double sums[2] = {0, 0};
            NAME(slopes)((int)c->number['f'], c->array['L'], m, (const REAL *)c->array['Y'] + start, w, r, h, sums);
            sum[0] += sums[0];
            if (slope && f) sum[1] += product(m, r, f);
            if (slope && e) sum[2] += product(m, r, e);
            if (slope) NAME(keep)(r, m, slope + at);
            if (!curvature) continue;
            NAME(keep)(h, m, curvature + at);
            scaled(m, 1, m, w, h);
            add_forms(m, h, f, e, sum);
        } else {
            const int64_t *y = (const int64_t *)c->array['Y'] + start;
            class_trial(m, k, lane, y, w, f, e, r, sum);
            if (curvature) NAME(bring_in)(r, m, k, lane, curvature + at);
            if (!slope) continue;
            class_slopes(m, k, lane, y, w, r);
            NAME(bring_in)(r, m, k, lane, slope + at);
        }
    }
}

static void NAME(trial)(struct call *c) { NAME(trial_at)(c, c->real, c->sum); }

/* The same times the mean, with a quadratic's value, slopes and forms. */
static void NAME(evaluate)(const struct call *c, const double *a, double *out)
{
    double mean = c->real[2], constant = c->real[3];
    const double *along = c->real + 4, *forms = c->real + 6;
    NAME(trial_at)(c, a, out);
    for (int j = 0; j < 6; j++) out[j] *= mean;
    double product0 = forms[0] * a[0] + forms[1] * a[1], product1 = forms[1] * a[0] + forms[2] * a[1];
    out[0] += constant + (along[0] + 0.5 * product0) * a[0] + (along[1] + 0.5 * product1) * a[1];
    out[1] += along[0] + product0;
    out[2] += along[1] + product1;
    for (int j = 0; j < 3; j++) out[3 + j] += forms[j];
}

/* steps.newton_search, number for number, in the whole plane. */
static void NAME(search)(struct call *c)
{
    double origin = c->real[9], noise = c->real[10], accuracy = c->real[11], parallel = c->real[12], promised = c->real[13];
    double match = c->real[14], a[2] = {c->real[0], c->real[1]}, out[6], new[6], trial[2], step[2];
    NAME(evaluate)(c, a, out);
    if (a[0] != 0 || a[1] != 0) {
        if (promised > 0) match = 1 + out[1] / promised;
        if (!(out[0] <= origin + noise)) {
            a[0] = a[1] = 0;
            NAME(evaluate)(c, a, out);
        }
    }
    for (int k = 0; k < 20; k++) {
        newton_step(c->array['V'] != NULL, out, parallel, step);
        double decrement = -(step[0] * out[1] + step[1] * out[2]);
        if (a[0] == 0 && a[1] == 0)
            promised = decrement;
        else if (!(decrement > accuracy * accuracy * promised))
            break;
        if (!(decrement > 0)) break;
        double t = 1;
        int taken = 0;
        for (int j = 0; j < 30 && !taken; j++, t *= 0.25) {
            trial[0] = a[0] + t * step[0];
            trial[1] = a[1] + t * step[1];
            NAME(evaluate)(c, trial, new);
            taken = new[0] <= out[0] - 1e-4 * t * decrement ||
                    (new[0] <= out[0] + noise && fabs(new[1] * step[0] + new[2] * step[1]) <= decrement);
        }
        if (!taken) {
            NAME(evaluate)(c, a, out); /* the arrays are those of the last trial that was taken */
            break;
        }
        a[0] = trial[0];
        a[1] = trial[1];
        memcpy(out, new, sizeof new);
    }
    double *sum = c->sum;
    sum[0] = a[0], sum[1] = a[1], sum[2] = out[0], sum[3] = promised, sum[4] = match;
}
