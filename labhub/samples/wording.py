"""How a result is put into words: never "no LMO", always what was looked for and how well.

Source: domain guide, section 7 (report "not detected" with LOD and the sampled amount).
"""

from labhub.i18n import Text, _
from labhub.samples.models import IdentificationResult, Outcome, PercentUnit, Sample


def sampled(mass_gram: float | None, increments: int | None) -> Text:
    """Return how much was sampled, as far as it is known.

    >>> str(sampled(2500.0, 10))
    '2500 g in increments: 10'
    """
    if mass_gram is not None and increments is not None:
        return _("%(mass)s g in increments: %(increments)s", mass=f"{mass_gram:.10g}", increments=increments)
    if mass_gram is not None:
        return _("%(mass)s g", mass=f"{mass_gram:.10g}")
    if increments is not None:
        return _("increments: %(increments)s", increments=increments)
    return _("amount not recorded")


def statement(
    outcome: Outcome,
    *,
    lod_text: str = "",
    gm_percent: float | None = None,
    u_percent: float | None = None,
    unit: PercentUnit | None = None,
    mass_gram: float | None = None,
    increments: int | None = None,
) -> Text:
    """Return a result in words; percentages are in ``unit``, ``u_percent`` is U with k = 2.

    >>> str(statement(Outcome.NOT_DETECTED, lod_text="0.05 %", mass_gram=2500.0))
    'not detected (LOD 0.05 %; sampled: 2500 g)'
    >>> str(statement(Outcome.QUANTIFIED, gm_percent=1.3, u_percent=0.39, unit=PercentUnit.MASS))
    'quantified: 1.3 ± 0.39 % (m/m, U with k = 2)'
    """
    if outcome is Outcome.NOT_DETECTED:
        return _(
            "not detected (LOD %(lod)s; sampled: %(sampled)s)",
            lod=lod_text,
            sampled=sampled(mass_gram, increments),
        )
    if outcome is Outcome.QUANTIFIED:
        if u_percent is None:
            return _(
                "quantified: %(percent)s %% (%(unit)s, uncertainty not reported)",
                percent=f"{gm_percent:.10g}",
                unit=unit,
            )
        return _(
            "quantified: %(percent)s ± %(u)s %% (%(unit)s, U with k = 2)",
            percent=f"{gm_percent:.10g}",
            u=f"{u_percent:.10g}",
            unit=unit,
        )
    if outcome is Outcome.DETECTED:
        return _("detected")
    if outcome is Outcome.INCONCLUSIVE:
        return _("inconclusive: neither detected nor not detected")
    return _("analysis under way, no outcome yet")


def in_words(result: IdentificationResult, sample: Sample) -> Text:
    """Return a result of ``sample`` in words."""
    return statement(
        result.outcome,
        lod_text=result.lod_text,
        gm_percent=result.gm_percent,
        u_percent=result.u_percent,
        unit=result.unit,
        mass_gram=sample.mass_gram,
        increments=sample.increments,
    )
