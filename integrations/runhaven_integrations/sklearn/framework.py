"""Imports scikit-learn, or says what to install.

Its functions have no types of their own that could be relied on; here they lose those that they seem to have.
"""

from __future__ import annotations

from typing import Any

from runhaven.missing import missing

try:
    import joblib as _joblib
    import numpy as np_  # noqa: ICN001 - `np` is the name without types
    from sklearn import base as _base
    from sklearn import calibration as _calibration
    from sklearn import inspection as _inspection
    from sklearn import metrics as _metrics
    from sklearn import model_selection as _model_selection
    from sklearn.utils import validation as _validation
except ImportError as error:
    raise ImportError(missing("scikit-learn", "runhaven.sklearn")) from error

base: Any = _base
calibration: Any = _calibration
inspection: Any = _inspection
joblib: Any = _joblib
metrics: Any = _metrics
model_selection: Any = _model_selection
np: Any = np_
validation: Any = _validation
