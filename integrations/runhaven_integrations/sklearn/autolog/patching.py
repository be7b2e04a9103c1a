"""Puts itself around `fit` and `score` of all estimators, and takes itself away again."""

from __future__ import annotations

import functools
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from runhaven_integrations.sklearn.framework import base, joblib

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_FITS = ("fit", "fit_predict")
_SCORING_MIXINS = ("ClassifierMixin", "RegressorMixin")
_SILENT = {
    "sklearn.model_selection._validation": (
        "_fit_and_predict",
        "_fit_and_score",
        "_incremental_fit_estimator",
        "_permutation_test_score",
    )
}
"""What cross-validation, learning and validation curves run for each of their fits, by the module that looks it up."""


class Observer(Protocol):
    """Is told of fits and scores."""

    def begin(self, estimator: Any) -> Any:
        """Be told that an estimator is about to be fitted; return what `end` gets back."""
        ...

    def end(self, begun: Any, estimator: Any, data: tuple[Any, ...], options: dict[str, Any]) -> None:
        """Be told of a fit that came to its end."""
        ...

    def failed(self, begun: Any, estimator: Any) -> None:
        """Be told of a fit that raised."""
        ...

    def scored(self, estimator: Any, data: tuple[Any, ...], score: Any) -> None:
        """Be told what `score` returned."""
        ...


class Nesting:
    """Tells whether this thread is inside a fit, its own or one that joblib runs a part of here."""

    def __init__(self) -> None:
        """Be outside."""
        self._depth: ContextVar[int] = ContextVar("runhaven_sklearn_depth", default=0)
        self._lock = threading.Lock()
        self._under_way = 0

    @property
    def is_inside(self) -> bool:
        """Whether what begins now is a part of something."""
        if self._depth.get():
            return True
        # A context does not follow joblib into its threads; that they work for somebody who fits does.
        return self._under_way > 0 and joblib.parallel.get_active_backend()[0].nesting_level > 0

    @contextmanager
    def entered(self) -> Generator[None]:
        """Be inside for a while."""
        token = self._depth.set(self._depth.get() + 1)
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
            self._depth.reset(token)


class Patches:
    """All that was put around scikit-learn.

    A class that inherits `fit` is patched where it inherits it from; one that is defined later, when it is defined. Estimators
    pickle, clone and print as before, for nothing is put on an instance.
    """

    def __init__(self, observer: Observer) -> None:
        """Patch all classes that there are."""
        self._observer = observer
        self._nesting = Nesting()
        self._undoing: list[Callable[[], None]] = []
        for mixin in _SCORING_MIXINS:
            self._patch_class(getattr(base, mixin))
        for each in _family(base.BaseEstimator):
            self._patch_class(each)
        self._patch_subclassing()
        for module, names in _SILENT.items():
            self._silence(module, names)

    def undo(self) -> None:
        """Put everything back."""
        while self._undoing:
            self._undoing.pop()()

    def _replace(self, owner: Any, name: str, value: Any) -> None:
        before = owner.__dict__[name]
        setattr(owner, name, value)
        self._undoing.append(lambda: setattr(owner, name, before))

    def _patch_class(self, owner: Any) -> None:
        for name in (*_FITS, "score"):
            method = owner.__dict__.get(name)
            # What is no plain function, such as an `available_if`, hands out the function of another one here.
            if callable(method) and hasattr(method, "__code__"):
                around = self._around_score if name == "score" else self._around_fit
                self._replace(owner, name, around(method))

    def _patch_subclassing(self) -> None:
        """Have classes that are defined later patched, too."""
        owner = base.BaseEstimator
        patch = self._patch_class
        is_own = "__init_subclass__" in owner.__dict__
        before = owner.__init_subclass__

        def after_definition(cls: Any, **keywords: Any) -> None:
            if is_own:
                before.__func__(cls, **keywords)
            else:
                super(owner, cls).__init_subclass__(**keywords)
            patch(cls)

        if is_own:
            self._replace(owner, "__init_subclass__", classmethod(after_definition))
        else:
            owner.__init_subclass__ = classmethod(after_definition)
            self._undoing.append(lambda: delattr(owner, "__init_subclass__"))

    def _silence(self, module: str, names: tuple[str, ...]) -> None:
        from importlib import import_module

        place = import_module(module)
        for name in names:
            function = place.__dict__.get(name)
            if function is not None:
                self._replace(place, name, self._around_silent(function))

    def _around_fit(self, method: Callable[..., Any]) -> Callable[..., Any]:
        nesting, observer = self._nesting, self._observer

        @functools.wraps(method)
        def fit(estimator: Any, *data: Any, **options: Any) -> Any:
            if nesting.is_inside:
                return method(estimator, *data, **options)
            with nesting.entered():
                begun = observer.begin(estimator)
                try:
                    result = method(estimator, *data, **options)
                except Exception:
                    observer.failed(begun, estimator)
                    raise
                observer.end(begun, estimator, data, options)
                return result

        return fit

    def _around_score(self, method: Callable[..., Any]) -> Callable[..., Any]:
        nesting, observer = self._nesting, self._observer

        @functools.wraps(method)
        def score(estimator: Any, *data: Any, **options: Any) -> Any:
            if nesting.is_inside:
                return method(estimator, *data, **options)
            with nesting.entered():
                result = method(estimator, *data, **options)
                observer.scored(estimator, (*data, *(options[n] for n in ("X", "y") if n in options)), result)
                return result

        return score

    def _around_silent(self, function: Callable[..., Any]) -> Callable[..., Any]:
        nesting = self._nesting

        @functools.wraps(function)
        def silent(*arguments: Any, **options: Any) -> Any:
            with nesting.entered():
                return function(*arguments, **options)

        return silent


def _family(owner: Any) -> list[Any]:
    """Return a class and all that inherit from it, each once."""
    found: dict[Any, None] = {}
    waiting = [owner]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found[each] = None
            waiting += each.__subclasses__()
    return list(found)
