from heatproof.core.formatting import percent
from heatproof.report.pass_equivalents import PassEquivalents
from heatproof.report.provenance import provenance
from heatproof.store import Manifest
from heatproof.store.manifest import AccelerationEntry, ModelEntry


def terms(pairs):
    """The pairs that are about passes."""
    return {term: text for term, text in pairs if term.startswith("Passes")}


def test_the_page_states_how_passes_were_computed_with_the_measured_error():
    chosen = AccelerationEntry(precision="exact", plan={}, label="folded", speedup=2.04, map_error=0.0023)
    models = (ModelEntry(name="lite0", digest="a", acceleration=chosen), ModelEntry(name="old", digest="b"))
    stated = "exact: folded; 2.0 times the speed of plain passes; gradient maps differ by at most 0.0023"
    assert terms(provenance(Manifest(name="run", models=models))) == {"Passes of lite0": stated}


def test_the_page_states_the_passes_that_were_computed_in_part():
    partial = PassEquivalents("lite0", "perturbation_curve", 12_000, 7_572.0)
    (text,) = terms(provenance(Manifest(name="run"), [partial])).values()
    assert text.startswith(f"12,000 forward passes were computed with {percent(0.631)} of their operations")
