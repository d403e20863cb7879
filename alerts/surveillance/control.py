"""The settings of the detectors, under the names that R's ``surveillance`` gives them, read from JSON and checked."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from alerts.surveillance.errors import ControlError
from infra.schema_words import in_words

Method = Literal["farrington-flexible", "ears-c1", "ears-c2", "ears-c3"]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class Range(BaseModel):
    """What every method is told. Keys that change no number (``fitFun``, ``warnings`` …) are taken and ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    range: tuple[Positive, Positive] | None = Field(None, description="first and last t, both included; none: all")
    freq: Positive = 52
    alpha: Annotated[float, Field(gt=0, lt=1)] | None = None
    method: str | None = None
    fitFun: str | None = None  # noqa: N815 - the name that R gives it
    warnings: bool | None = None
    glmWarnings: bool | None = None  # noqa: N815
    verbose: bool | None = None

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.range and self.range[0] > self.range[1]:
            raise ValueError("range: its end is before its start")
        return self


class FarringtonControl(Range):
    """Farrington Flexible. Defaults are R's."""

    b: Positive = 5
    w: Count = 3
    reweight: bool = True
    weightsThreshold: Annotated[float, Field(ge=0)] = 2.58  # noqa: N815
    trend: bool = True
    pThresholdTrend: Annotated[float, Field(ge=0, le=1)] = 0.05  # noqa: N815
    limit54: tuple[Annotated[float, Field(ge=0)], Positive] = (5, 4)
    powertrans: Literal["2/3", "1/2", "none"] = "2/3"
    populationOffset: bool = False  # noqa: N815 - a file of counts has no population, so that it changes nothing
    noPeriods: Positive = 1  # noqa: N815
    pastWeeksNotIncluded: Count | None = None  # noqa: N815
    thresholdMethod: Literal["delta", "nbPlugin", "muan"] = "delta"  # noqa: N815

    @property
    def level(self) -> float:
        return 0.05 if self.alpha is None else self.alpha


class EarsControl(Range):
    """EARS C1 to C3. Without ``alpha`` the levels are those of the CDC: 0.001 for C1 and C2, 0.025 for C3."""

    baseline: Annotated[int, Field(ge=3)] = 7
    minSigma: Annotated[float, Field(ge=0)] = 0.0  # noqa: N815


def read_control(method: Method, given: object) -> FarringtonControl | EarsControl:
    """The settings in ``given``, which was JSON. Raises :class:`ControlError` with a cause for each defect."""
    if not isinstance(given, dict):
        raise ControlError("the settings must be one JSON object")
    kind: type[FarringtonControl] | type[EarsControl] = (
        FarringtonControl if method == "farrington-flexible" else EarsControl
    )
    try:
        return kind.model_validate({name: _plain(value) for name, value in given.items()})
    except ValidationError as error:
        causes = [f"{'.'.join(str(part) for part in each['loc'])}: {in_words(each)}" for each in error.errors()]
        raise ControlError("; ".join(cause.removeprefix(": ") for cause in causes)) from None


def _plain(value: Any) -> Any:
    """R writes a single value as itself or as a list of one."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value
