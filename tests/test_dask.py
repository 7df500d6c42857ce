"""Fits on Dask collections: the same coefficients as in memory, rows where they are, workers that die."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("dask.array", reason="the extra dask is not installed")
distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")

import dask.array as da
import dask.dataframe as dd
import joblib
import pandas as pd
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_validate

import sklearn_gd
from sklearn_gd import GDHuberRegression, GDLinearRegression, GDLogisticRegression, GDPoissonRegression
from sklearn_gd.steps import RULES
from sklearn_gd.workers.graphs import compute
from sklearn_gd.workers.model import RemoteModel

pytestmark = [
    # distributed's own: what the operating system has not closed yet, and a machine with other work to do
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*Sending large graph:UserWarning"),
]

N, P = 3000, 6


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    size = np.logspace(-2, 2, P)
    X = (random.standard_normal((N, P)) + 3) * size
    coef = random.standard_normal(P) / size
    raw = (X - 3 * size) @ coef
    return {
        "X": X,
        "binomial": (random.logistic(size=N) < raw).astype(int),
        "multinomial": np.digitize(raw + random.logistic(size=N), [-1.0, 1.0]),
        "target": raw + random.standard_normal(N),
        "weight": random.integers(0, 3, N).astype(float),
    }


def chunked(array, rows=700):
    return da.from_array(array, chunks=(rows, -1)[: array.ndim])


def assert_same_fit(remote, local, rtol=1e-6):
    scale = np.abs(local.coef_).max(axis=0)
    assert_allclose(remote.coef_ / scale, local.coef_ / scale, atol=rtol)
    assert_allclose(remote.intercept_, local.intercept_, rtol=1e-5, atol=1e-6)
    assert remote.stop_reason_ == local.stop_reason_


def test_dask_is_recognised_without_being_imported():
    program = "import sys, sklearn_gd; print({'dask', 'distributed'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "set()\n"


def test_only_the_front_doors_import_the_wing():
    package = pathlib.Path(sklearn_gd.__file__).parent
    outside = [path for path in package.rglob("*.py") if path.parent.name != "workers"]
    imported = {
        path.relative_to(package).parts[0] for path in outside if re.search(r"from \.+workers\b", path.read_text())
    }
    assert imported == {
        "base.py",
        "explanation.py",
        "huber.py",
        "linear_model.py",
        "poisson.py",
        "quantile.py",
        "regressors.py",
        "searches",
    }


# ---------------------------------------------------------------------------------------------- the threads scheduler

MODELS = {
    "binomial": GDLogisticRegression(tol=1e-8),
    "balanced": GDLogisticRegression(tol=1e-8, class_weight="balanced", C=0.1),
    "factors": GDLogisticRegression(tol=1e-8, class_weight={0: 2.0}, fit_intercept=False),
    "multinomial": GDLogisticRegression(tol=1e-8),
    "squares": GDLinearRegression(alpha=0.1),
    "diagonal": GDLinearRegression(preconditioner="diagonal", tol=1e-8),
    "nystrom": GDLogisticRegression(preconditioner="nystrom", tol=1e-8),
    "counts": GDPoissonRegression(tol=1e-8),
}
TARGETS = {"multinomial": "multinomial", "squares": "target", "diagonal": "target", "counts": "multinomial"}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_the_same_coefficients_as_in_memory(data, name, weighted):
    y = data[TARGETS.get(name, "binomial")]
    weight = data["weight"] if weighted else None
    local = clone(MODELS[name]).fit(data["X"], y, weight)
    # weights and targets are cut elsewhere
    given = None if weight is None else chunked(weight, 450)
    remote = clone(MODELS[name]).fit(chunked(data["X"]), chunked(y, 1100), given)
    assert_same_fit(remote, local)
    assert remote.n_features_in_ == P


@pytest.mark.parametrize("scale", ["joint", 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_hubers_scale_is_that_in_memory(data, weighted, scale):
    y = data["target"] + 50 * (np.arange(N) % 7 == 0)
    weight = data["weight"] if weighted else None
    local = GDHuberRegression(scale=scale).fit(data["X"], y, weight)
    given = None if weight is None else chunked(weight, 450)
    remote = GDHuberRegression(scale=scale).fit(chunked(data["X"]), chunked(y, 1100), given)
    assert_allclose(remote.coef_ * data["X"].std(axis=0), local.coef_ * data["X"].std(axis=0), atol=1e-5)
    assert_allclose(remote.scale_, local.scale_, rtol=1e-6)
    assert not hasattr(remote, "outliers_")  # the rows are not here
    assert_allclose(remote.predict(chunked(data["X"])).compute(), remote.predict(data["X"]))


def test_several_targets(data):
    Y = np.stack([data["target"], 100 * data["target"] ** 2], axis=1)
    assert_same_fit(GDLinearRegression().fit(chunked(data["X"]), chunked(Y)), GDLinearRegression().fit(data["X"], Y))


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "auto"])
def test_every_rule_takes_the_same_steps(data, rule):
    metric = "diagonal" if RULES[rule].metric else None
    model = GDLogisticRegression(learning_rate=rule, preconditioner=metric, max_iter=8, tol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # eight iterations are not the optimum
        local = clone(model).fit(data["X"], data["binomial"])
        remote = clone(model).fit(chunked(data["X"]), chunked(data["binomial"]))
    assert_allclose(remote.loss_curve_, local.loss_curve_, rtol=1e-8)


def test_sampled_hessians_and_inner_iterations(data, monkeypatch):
    random = np.random.default_rng(1)
    X = random.standard_normal((40_000, 12)) * np.logspace(-1, 1, 12)
    y = (X @ random.standard_normal(12) + random.logistic(size=len(X)) > 0).astype(int) + (X[:, 0] > 0.05)
    for labels in (y > 0, y):
        local = GDLogisticRegression(tol=1e-9).fit(X, labels)
        assert_same_fit(GDLogisticRegression(tol=1e-9).fit(chunked(X, 9000), chunked(labels, 9000)), local)
        # the metrics of the classes one by one, and products of the Hessian
        monkeypatch.setattr("sklearn_gd.plan.planning.JOINT", 10)
    assert_same_fit(GDLogisticRegression(tol=1e-9).fit(chunked(X, 9000), chunked(y, 9000)), local)


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_array, sp.coo_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_sparse_blocks(data, kind, weighted):
    S = sp.random(N, 40, 0.1, format="csr", random_state=0)
    y = (np.asarray(S.sum(axis=1)).ravel() + data["target"] / 10 > 2).astype(int)
    weight = data["weight"] if weighted else None
    X = chunked(S.toarray()).map_blocks(kind)
    for model in (GDLogisticRegression(tol=1e-8), GDLinearRegression(alpha=0.01)):
        local = clone(model).fit(S, y, weight)
        remote = clone(model).fit(X, y, weight)
        assert_same_fit(remote, local)
        assert_allclose(remote.predict(X).compute(), remote.predict(S))


def test_dataframes(data):
    names = list("abcdef")
    frame = pd.DataFrame(data["X"], columns=names).assign(a=np.arange(N) % 7)
    labels = pd.Series(np.where(data["binomial"], "yes", "no"))
    lazy, lazy_labels = dd.from_pandas(frame, npartitions=4), dd.from_pandas(labels, npartitions=4)
    local = GDLogisticRegression().fit(frame, labels)
    remote = GDLogisticRegression().fit(lazy, lazy_labels)
    assert_same_fit(remote, local)
    assert_array_equal(remote.feature_names_in_, names)
    assert_array_equal(remote.classes_, ["no", "yes"])
    assert_array_equal(remote.predict(lazy).compute(), local.predict(frame))
    assert remote.score(lazy, lazy_labels) == pytest.approx(local.score(frame, labels))
    with pytest.raises(ValueError, match="feature names"):
        remote.predict(lazy.rename(columns={"a": "z"}))
    with pytest.raises(ValueError, match="columns that are not numbers: a"):
        GDLogisticRegression().fit(lazy.assign(a=lazy["a"].astype(str)), lazy_labels)


def test_float32_stays(data):
    X = chunked(data["X"].astype(np.float32))
    model = GDLogisticRegression().fit(X, chunked(data["binomial"]))
    assert model.coef_.dtype == np.float32
    assert model.predict_proba(X).dtype == model.predict_proba(X).compute().dtype == np.float32


def test_predictions_are_lazy_and_the_same(data):
    X, y = data["X"], data["multinomial"]
    model = GDLogisticRegression().fit(X, y)
    with pytest.raises(NotFittedError):
        GDLogisticRegression().predict(chunked(X))
    for name in ("predict", "decision_function", "predict_proba", "predict_log_proba"):
        lazy = getattr(model, name)(chunked(X))
        assert isinstance(lazy, da.Array)
        here = getattr(model, name)(X)
        assert lazy.shape == here.shape
        assert lazy.dtype == here.dtype
        assert_allclose(lazy.compute(), here, atol=1e-14)
    # blocks without rows, and rows that are not counted
    some = chunked(X)[chunked(X[:, 0]) > np.sort(X[:, 0])[-3]]
    assert model.predict_proba(some).compute().shape == (2, 3)


@pytest.mark.parametrize("weighted", [False, True])
def test_scores(data, weighted):
    X, weight = data["X"], data["weight"] if weighted else None
    Y = np.stack([data["target"], np.ones(N)], axis=1)
    for model, y in ((GDLogisticRegression(), data["binomial"]), (GDLinearRegression(), Y)):
        model.fit(X, y)
        score = model.score(chunked(X), chunked(y), weight)
        assert isinstance(score, float)
        assert score == pytest.approx(model.score(X, y, weight), abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_offsets_of_counts(data, weighted):
    X, y, weight = data["X"], data["multinomial"], data["weight"] if weighted else None
    offset = np.random.default_rng(0).normal(size=N)
    local = GDPoissonRegression(alpha=0.1, tol=1e-8).fit(X, y, weight, offset)
    remote = GDPoissonRegression(alpha=0.1, tol=1e-8).fit(
        chunked(X), chunked(y), None if weight is None else chunked(weight, 450), chunked(offset, 900)
    )
    assert_same_fit(remote, local)
    assert_allclose(remote.loss_curve_[-1], local.loss_curve_[-1], rtol=1e-9)
    for given, same in ((offset, offset), (chunked(offset, 900), offset), (2.0, 2.0), (None, None)):
        assert_allclose(local.predict(chunked(X), given).compute(), local.predict(X, same), rtol=1e-12)
    score = local.score(chunked(X), chunked(y), weight, chunked(offset, 900))
    assert score == pytest.approx(local.score(X, y, weight, offset), abs=1e-12)
    with pytest.raises(ValueError, match="Input offset contains NaN"):
        GDPoissonRegression().fit(chunked(X), chunked(y), offset=chunked(np.where(offset > 1, np.nan, 0)))
    with pytest.raises(ValueError, match=r"expected .*one offset a sample"):
        GDPoissonRegression().fit(chunked(X), chunked(y), offset=offset[1:])
    with pytest.raises(ValueError, match="must not be negative"):
        GDPoissonRegression().fit(chunked(X), chunked(y - 1))


def test_what_is_cut_otherwise_is_brought_together(data):
    X, y = data["X"], data["binomial"]
    local = GDLogisticRegression().fit(X, y)
    by_columns = da.from_array(X, chunks=(1000, 2))
    assert_same_fit(GDLogisticRegression().fit(by_columns, y), local)
    everything = da.ones(N, chunks=700) > 0  # a mask makes sizes unknown
    assert_same_fit(GDLogisticRegression().fit(chunked(X)[everything], chunked(y)[everything]), local)
    assert_same_fit(GDLogisticRegression().fit(chunked(X), list(y)), local)


def test_what_cannot_be_used_is_refused_with_the_line_to_type(data, monkeypatch):
    X, y = chunked(data["X"]), chunked(data["binomial"])
    model = GDLogisticRegression().fit(data["X"], data["binomial"])
    before = dict(vars(model))

    def refuses(match, *args, error=ValueError):
        with pytest.raises(error, match=match):
            model.fit(*args)
        assert vars(model) == before

    bad = data["X"].copy()
    bad[1500, 2] = np.nan
    refuses(r"NaN: nan in row 1500, column 2 \(row 100 of block 2", chunked(bad), y)
    refuses(r"NaN: nan in row 1500, column 2", chunked(sp.csr_matrix(bad).toarray()).map_blocks(sp.csr_matrix), y)
    refuses("infinity: inf in row 1500", chunked(np.where(np.isnan(bad), np.inf, bad)), y)
    refuses("Input y contains NaN", X, chunked(np.where(data["binomial"], np.nan, 0.0)))
    refuses(r"inconsistent numbers of samples: \[3000, 2999\]", X, y[1:])
    refuses("y.compute", data["X"], y, error=TypeError)
    refuses("Negative values", X, y, chunked(data["weight"] - 1))
    refuses("all be zero", X, y, 0 * chunked(data["weight"]))
    refuses(r"sample_weight.shape == \(2999,\)", X, y, data["weight"][1:])
    refuses("X.astype", X.astype(str), y)
    refuses("2D array", X[:, 0], y)
    refuses("at least 2 classes", X, 0 * y)
    monkeypatch.setattr("sklearn_gd.workers.inputs.CHEAP_BYTES", 1000)
    refuses(r"X = X.rechunk\({1: -1}\)", da.from_array(data["X"], chunks=(1000, 2)), y)
    bad_target = np.where(np.arange(N) == 7, np.inf, data["target"])
    with pytest.raises(ValueError, match="Input y contains"):
        GDLinearRegression().fit(X, chunked(bad_target))


def test_graphs_do_not_grow_and_only_coefficients_come_home(data, monkeypatch):
    sizes, tasks = [], []

    def watched(*collections):
        tasks.append(sum(len(collection.__dask_graph__()) for collection in collections))
        results = compute(*collections)
        sizes.append(max(getattr(part, "size", 1) for result in results for part in flattened(result)))
        return results

    monkeypatch.setattr("sklearn_gd.workers.graphs.compute", watched)
    X, y = data["X"], data["binomial"]
    model = GDLogisticRegression(learning_rate=0.1, max_iter=20, tol=0)
    with pytest.warns(UserWarning, match="did not converge"):
        model.fit(chunked(X), chunked(y))
    # five blocks: their inputs and a task each, counted for each of the five results
    assert max(tasks) < 50
    assert max(sizes) <= (P + 1) ** 2
    rounds = len(tasks)
    model = GDLogisticRegression().fit(chunked(X), chunked(y))
    # classes, moments, the first point; then one or two trials an iteration
    assert len(tasks) - rounds <= 3 + 2 * model.n_iter_


def flattened(result):
    return [part for item in result for part in flattened(item)] if isinstance(result, (tuple, list)) else [result]


# ---------------------------------------------------------------------------------------------- workers and clusters


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as client:
        yield client


def test_processes(data, client):
    X, y, weight = chunked(data["X"]), chunked(data["binomial"]), chunked(data["weight"])
    local = GDLogisticRegression(tol=1e-8).fit(data["X"], data["binomial"], data["weight"])
    model = GDLogisticRegression(tol=1e-8).fit(X, y, weight)
    assert_same_fit(model, local)
    assert_array_equal(model.predict(X).compute(), local.predict(data["X"]))
    assert_same_fit(
        GDLinearRegression().fit(X, chunked(data["target"])), GDLinearRegression().fit(data["X"], data["target"])
    )


def test_searches_by_joblib_on_the_cluster(data, client):
    search = GridSearchCV(GDLogisticRegression(), {"C": [0.01, 1.0]}, cv=3)
    here = clone(search).fit(data["X"], data["binomial"])
    with joblib.parallel_config(backend="dask"):
        there = clone(search).fit(data["X"], data["binomial"])
        scores = cross_validate(GDLinearRegression(), data["X"], data["target"], cv=3)["test_score"]
    assert_allclose(there.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"])
    assert_allclose(scores, cross_validate(GDLinearRegression(), data["X"], data["target"], cv=3)["test_score"])


def test_a_worker_that_is_killed_changes_nothing(data, client, monkeypatch):
    X, y = chunked(data["X"]), chunked(data["binomial"])
    model = GDLogisticRegression(learning_rate=0.5, preconditioner="diagonal", tol=1e-3)
    undisturbed = clone(model).fit(X, y)
    pids = list(client.run(os.getpid).values())
    passes = 0
    try_at = RemoteModel.try_at

    def killing(self, *args):
        nonlocal passes
        passes += 1
        if passes == 10:
            os.kill(pids[0], signal.SIGKILL)
        return try_at(self, *args)

    monkeypatch.setattr(RemoteModel, "try_at", killing)
    disturbed = clone(model).fit(X, y)
    assert passes > 10
    assert_array_equal(disturbed.coef_, undisturbed.coef_)


def test_a_cluster_that_goes_away_is_an_error_and_the_estimator_as_it_was(data):
    model = GDLogisticRegression().fit(data["X"], data["binomial"])
    before = dict(vars(model))
    model.set_params(learning_rate=1e-3, max_iter=100_000, tol=0)
    cluster = distributed.LocalCluster(n_workers=1, processes=False, dashboard_address=":0", silence_logs=50)
    client = distributed.Client(cluster)
    X, y = chunked(data["X"]), chunked(data["binomial"])

    def close():
        time.sleep(1.0)
        client.close()
        cluster.close()

    closing = threading.Thread(target=close)
    closing.start()
    with pytest.raises(RuntimeError, match="cluster was closed or lost"):
        model.fit(X, y)
    closing.join()
    assert_array_equal(model.coef_, before["coef_"])
    assert model.n_iter_ == before["n_iter_"]
