/* What Python calls: a row a kernel, of which the arguments are taken, the levels' tables are filled and the methods are made.

   Arguments, in their order, a space between them:
     n       an integer, known by its letter from here on
     .       a number; those of a call are counted
     X:Rnp   an array, known by its letter: the type of its numbers and the factors of their count, a digit or an integer's letter each,
             behind which + and - are one more and one less, and ^ the next multiple of WIDTH. Types: R the precision of X, of `s` bytes;
             D double; I int32; L int64; O int32, the ends of compressed sparse rows, of which those from b to e are there; T the
             targets of a loss, int64 where there are several outputs and R otherwise; S rows and columns of R that may be apart: n is
             their number, unless given, and p grows by the columns.
     ?       behind an array: it may be None
     !       it is written to
   Integers: f what to make of predictions (enum kind), s bytes of a number, n rows, p columns, k outputs, m directions, v stored values.
   Arrays: X, W coefficients, A intercepts, Y targets, S weights, C cells, G gradient, T totals, P predictions, H second derivatives; of
   sparse rows O their ends and J the columns; of a subspace B the predictions at its base, U and V those of its directions.

   Then come how many sums are returned, and what help() says. */

#define SPARSE "s n p v b e O:On+ J:Iv X:Rv "
#define TRIAL "f s n k . . Y:Tn S:Rn? B:Rnk U:Rnk? V:Rnk? P:Rnk?! G:Rnk?! H:Rnk?!"

#define KERNELS(KERNEL)                                                                                                                 \
    KERNEL(sweep, "f s n p X:Rnp W:Dp . Y:Rn? S:Rn? G:Dp! P:Rn?!", 2,                                                                   \
           "sweep(kind, itemsize, n, p, X, coef, intercept, y, weight, gradient, raw) -> (value, total)\n\n"                            \
           "Adds X' r to gradient; value is the sum of the losses and total that of r, the slopes at X coef + intercept, kept in raw.") \
    KERNEL(plane, "s m n p X:Rnp W:Dm+p A:Dm+ Y:Rn S:Rn? G:Dp! H:Rn?!", 6,                                                              \
           "plane(itemsize, m, n, p, X, coefs, intercepts, y, weight, gradient, second) -> (value, total, curvature, h, h, h)\n\n"      \
           "The binomial loss at X coefs[0] + intercepts[0] and its Hessian along m more; adds X' r to gradient, fills second with the " \
           "second derivatives, of which curvature is the sum.")                                                                        \
    KERNEL(outputs, "f s k X:S W:Dk^p? A:Dk Y:Ln? S:Rn? C:Rnk? G:Dkp?! T:Dk?! P:Rnk?!", 1,                                              \
           "outputs(kind, itemsize, k, X, coef, intercepts, y, weight, cells, gradient, totals, raw) -> value\n\n"                      \
           "A sweep for k outputs: value is the sum of the losses; adds R' X to gradient and the sums of R, the weighted slopes at "    \
           "X coef' + intercepts, to totals. Curved, R is the Hessian's product with them, and cells are the probabilities; without "   \
           "coef, R is cells. Predictions are kept in raw; without gradient there is nothing else.")                                    \
    KERNEL(sparse_sweep, "f " SPARSE "W:Dp? . Y:Rn? S:Rn? C:Rn? G:Dp?! P:Rn?!", 2,                                                      \
           "sparse_sweep(kind, itemsize, n, p, values, start, stop, rows, columns, X, coef, intercept, y, weight, cells, gradient, "    \
           "raw) -> (value, total)\n\n"                                                                                                 \
           "A sweep over some of the n compressed sparse rows of X; without coef its slopes are cells, without gradient it only fills " \
           "raw.")                                                                                                                      \
    KERNEL(sparse_outputs, "f k " SPARSE "W:Dpk? A:Dk? Y:Ln? S:Rn? C:Rnk? G:Dpk?! T:Dk?! P:Rnk?!", 1,                                   \
           "sparse_outputs(kind, k, itemsize, n, p, values, start, stop, rows, columns, X, coef, intercepts, y, weight, cells, "        \
           "gradient, totals, raw) -> value\n\n"                                                                                        \
           "As outputs, over some of the n compressed sparse rows of X; coef and gradient are by columns of X, k numbers each.")        \
    KERNEL(sparse_columns, SPARSE "S:Rn? Y:Dn? C:Dp? G:D4p!", 0,                                                                        \
           "sparse_columns(itemsize, n, p, values, start, stop, rows, columns, X, weight, target, centre, sums)\n\n"                    \
           "Adds to sums, p x 4, over the stored values of some rows: the weights, the values less the centre, their squares and "      \
           "their products with the target.")                                                                                           \
    KERNEL(sparse_gram, SPARSE "S:Rn? G:Dp+p+!", 0,                                                                                     \
           "sparse_gram(itemsize, n, p, values, start, stop, rows, columns, X, weight, out)\n\n"                                        \
           "Adds products of the columns of X, and of ones behind them, over some of its compressed sparse rows, whose columns rise, "  \
           "to the lower triangle of out.")                                                                                             \
    KERNEL(trial, TRIAL, 6,                                                                                                             \
           "trial(kind, itemsize, n, k, a, b, y, weight, base, first, second, raw, slope, curvature) -> (value, g, g, h, h, h)\n\n"     \
           "The loss at the predictions base + a first + b second, its gradient and Hessian along the two; fills raw, the weighted "    \
           "slopes, and second derivatives, or probabilities of k > 1 classes.")                                                        \
    KERNEL(search, TRIAL " . . . . . . . . . . . . .", 5,                                                                               \
           "search(..., mean, constant, along, along, forms, forms, forms, origin, noise, accuracy, parallel, promised, match) -> (a, " \
           "b, value, promised, match)\n\n"                                                                                             \
           "A Newton search that begins with that trial, of its mean and a quadratic's sum; the arrays are those of its end.")          \
    KERNEL(columns, "s n p X:Rnp C:Dp S:Rn? Y:Dn? G:Dp! H:Dp! T:Dp?!", 1,                                                               \
           "columns(itemsize, n, p, X, shift, weight, target, sums, squares, cross) -> sum of the weights\n\n"                          \
           "Adds the weighted sums of z = X - shift, of its squares and of its products with a target.")                                \
    KERNEL(distances, "s n p X:Rnp C:Dp W:Dp G:Dn!", 0,                                                                                 \
           "distances(itemsize, n, p, X, centre, factor, out)\n\n"                                                                      \
           "Fills out with the rows' squared distances from the centre, each column's times its factor.")                               \
    KERNEL(gram, "s n X:S? Y:S? S:Rn? C:Dp G:Dp+p+!", 0,                                                                                \
           "gram(itemsize, n, X, T, weight, shift, out)\n\n"                                                                            \
           "Adds Z'Z to out, which is symmetric, where Z = [X T 1] less the shift (none of the ones), its rows times the roots of the " \
           "weights.")                                                                                                                  \
    KERNEL(middle, "s n j X:S? Y:S? G:Dp!", 0,                                                                                          \
           "middle(itemsize, n, step, X, T, out)\n\n"                                                                                   \
           "Fills out with the means of every step-th row of [X T], 0 where they are not finite.")                                      \
    KERNEL(about_mean, "X:S! C:Dp-!", 2,                                                                                               \
           "about_mean(products, shift) -> (sum of the weights, trace)\n\n"                                                             \
           "From what gram fills, moments about the shift, to moments about the mean, which shift becomes; the trace is that before.")
