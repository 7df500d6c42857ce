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
   Integers: f what to make of predictions (enum kind), s bytes of a number, n rows, p columns, k outputs, m directions, v stored values; r right sides.
   Arrays: X, W coefficients, A intercepts, Y targets, S weights, L numbers of a loss that has some, C cells, G gradient, T totals, P predictions, H second derivatives; of
   sparse rows O their ends and J the columns; of a subspace B the predictions at its base, U and V those of its directions.

   Then comes how many sums are returned:

     sweep           that of the losses and that of r, the slopes at X W + intercept; adds X' r to the gradient
     plane           the binomial loss at the first coefficients and its Hessian along m more: as sweep, then that of the second derivatives
                     and three forms; fills H
     outputs         a sweep for k outputs, R = slopes at X W' + A: that of the losses; adds R' X to the gradient and the sums of R to the
                     totals. Of kind CURVED, R is the Hessian's product with the predictions, and cells are the probabilities; without W,
                     R is cells. Without a gradient there is nothing but P
     models          the same for k models of two classes, -1 and 1, whose losses are added to V
     sparse_*        the same over some compressed sparse rows; coefficients and gradients of outputs are by columns of X, k numbers each
     sparse_columns  adds to G, p x 4, over the stored values: the weights, the values less the centre C, their squares and their products
                     with Y
     sparse_gram     adds products of the columns of X, and of ones behind them, to the lower triangle of G; columns of a row rise
     trial           the loss at the predictions B + a U + b V, its gradient and Hessian along the two; fills P, weighted slopes G, and H,
                     second derivatives, or probabilities of k > 1 classes
     search          a Newton search that begins with that trial: a, b, value, what it was promised, the match; the arrays are those of its
                     end. Its numbers: the mean that sums are multiplied by; value, slopes (2) and forms (3) of a quadratic that is added;
                     origin, noise, accuracy, parallel, promised and match of newton_search
     columns         that of the weights; adds the weighted sums of z = X - C, of its squares and of its products with Y to G, H and T
     distances       fills G with the rows' squared distances from C, each column's times its factor W
     gram            adds Z'Z to G, which is symmetric, where Z = [X Y 1] less C (none of the ones), its rows times the roots of S
     middle          fills G with the means of every step-th row of [X Y], 0 where they are not finite
     about_mean      that of the weights, and the trace; from what gram fills, moments about C, to moments about the mean, which C becomes
     shifted         fills G with (A + w)^-1 B for each w of W, by Cholesky's factors, and H with the least part of a diagonal entry of A + w
                     that these leave
     inverses        those of k positive definite matrices A, in place; not a number where they are not */

#define SPARSE "s n p v b e O:On+ J:Iv X:Rv "
#define TRIAL "f s n k . . Y:Tn S:Rn? L:D4? B:Rnk U:Rnk? V:Rnk? P:Rnk?! G:Rnk?! H:Rnk?!"

#define KERNELS(KERNEL)                                                                               \
    KERNEL(sweep, "f s n p X:Rnp W:Dp . Y:Rn? S:Rn? L:D4? G:Dp! P:Rn?!", 2)                           \
    KERNEL(plane, "s m n p X:Rnp W:Dm+p A:Dm+ Y:Rn S:Rn? G:Dp! H:Rn?!", 6)                            \
    KERNEL(outputs, "f s k X:S W:Dk^p? A:Dk Y:Ln? S:Rn? C:Rnk? G:Dkp?! T:Dk?! P:Rnk?!", 1)            \
    KERNEL(sparse_sweep, "f " SPARSE "W:Dp? . Y:Rn? S:Rn? L:D4? C:Rn? G:Dp?! P:Rn?!", 2)              \
    KERNEL(sparse_outputs, "f k " SPARSE "W:Dpk? A:Dk? Y:Ln? S:Rn? C:Rnk? G:Dpk?! T:Dk?! P:Rnk?!", 1) \
    KERNEL(models, "s k X:S W:Dk^p A:Dk Y:Ln S:Rn? G:Dkp! T:Dk! V:Dk!", 0)                            \
    KERNEL(sparse_models, "k " SPARSE "W:Dpk A:Dk Y:Ln S:Rn? G:Dpk! T:Dk! V:Dk!", 0)                  \
    KERNEL(sparse_columns, SPARSE "S:Rn? Y:Dn? C:Dp? G:D4p!", 0)                                      \
    KERNEL(sparse_gram, SPARSE "S:Rn? G:Dp+p+!", 0)                                                   \
    KERNEL(trial, TRIAL, 6)                                                                           \
    KERNEL(search, TRIAL " . . . . . . . . . . . . .", 5)                                             \
    KERNEL(columns, "s n p X:Rnp C:Dp S:Rn? Y:Dn? G:Dp! H:Dp! T:Dp?!", 1)                             \
    KERNEL(distances, "s n p X:Rnp C:Dp W:Dp G:Dn!", 0)                                               \
    KERNEL(gram, "s n X:S? Y:S? S:Rn? C:Dp G:Dp+p+!", 0)                                              \
    KERNEL(middle, "s n j X:S? Y:S? G:Dp!", 0)                                                        \
    KERNEL(about_mean, "X:S! C:Dp-!", 2)                                                              \
    KERNEL(shifted, "s p k r A:Dpp B:Dpr W:Dk G:Dkpr! H:Dk!", 0)                                      \
    KERNEL(inverses, "s p k A:Dkpp!", 0)
