"""X on workers, in a Dask array or dataframe: rows stay where they are, and what comes home is of coefficient size.

Two uses: fits on a cluster, or on the threads of one machine; and predict methods that are computed when asked for.

This is the one door. `graphs` runs tasks, `inputs` checks what `fit` is given, `design` and `model` are the linear map and the loss
over blocks of rows, `sample` draws rows there, `predictions` are made block by block. What the rest of the package chooses by where the
rows are gets its line from here. Dask is imported where it is used, and recognised by what a program that has a Dask collection must have
imported.
"""

from ..designs import DESIGNS
from ..plan.newton import SAMPLES
from ..plan.problem import MODELS
from .design import DaskDesign
from .graphs import compute, is_dask
from .inputs import collect, cut_as, encode_blocks
from .model import RemoteModel
from .predictions import accuracy, over_blocks, paired, r2
from .sample import RemoteSample

__all__ = ["accuracy", "collect", "compute", "cut_as", "encode_blocks", "is_dask", "over_blocks", "paired", "r2"]

DESIGNS.append((is_dask, DaskDesign))
MODELS[DaskDesign.where] = RemoteModel
SAMPLES[DaskDesign.where] = RemoteSample
