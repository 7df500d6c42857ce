"""Sizes at which another form of a problem becomes the cheaper one, each with what it was derived from.

Two uses: the choices of `squares`, `curved` and `wide`; and tests, which lower them to reach every choice with small data.
"""

# Rows up to which their inner products are factorised: n³/3 operations, and n² numbers.
ROWS_TO_ROTATE = 3000

# What a sketch of rank 256 costs, in passes: its products share reads of X, but not the arithmetic.
SKETCH_PASSES = 60
# What a symmetric product costs, in passes a column: on two threads 0.7 s beside 16 ms at 20,000 × 2,000, 0.23 s beside
# 8 ms at 50,000 × 500.
GRAM_PASSES = 1 / 40
# The same in single precision, relative to that: 0.45 s beside 0.9.
SINGLE_GRAM = 1 / 2
# Iterations of a descent in such a metric to a coefficient error of 1e-8.
LOW_ITERATIONS = 3
# What exact products of rows cost, in passes a row: 20 ms beside 0.8 at 500 × 2,000, 148 beside 3.8 at 1,000 × 4,000, 830 beside 9.8
# at 1,814 × 10,346.
ROW_PASSES = 1 / 20
# Passes of conjugate gradients between rows in such a metric: five or six iterations of two products, each about 0.75 of a pass.
DUAL_PASSES = 9
# Passes that are not worth a first try: a Gram matrix of up to some 600 columns costs less than conjugate gradients to
# eight digits even on data of condition number 10.
FEW_PASSES = 20
# Passes of a descent in the diagonal metric that are tried before Hessians of sparse rows, which cost more than these: 20
# to 30 reach six digits on standardised data.
MANY_PASSES = 30
# What a descent in metrics of all sparse rows costs, in passes: as many matrices, each worth as many operations as rows have pairs of
# values, and p² and p³ of them, too; and as many passes. On two threads 33 ms beside 10 for 3.9e7 pairs of 6.2e6 values; 20,000 × 500 with one value
# in a hundred 31 to 39 ms, and 10 to 18 by the diagonal metric.
MATRICES, SEARCHES = 5, 12
SQUARE, CUBE = 12, 1 / 48
# Columns up to which p² numbers and p³/3 operations are spent.
GRAM_SIZE = 8000

# Numbers that a sketch may hold: 200 MB of them.
SKETCH_NUMBERS = 25_000_000

# Coefficients up to which the whole multinomial Hessian is computed and factorised; beyond, its blocks on the diagonal
# precondition inner iterations. On digits (650 coefficients) the latter took a third of the time of the former.
JOINT_SIZE = 200
