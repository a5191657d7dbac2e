from heatproof.core.seeds import derive, seed_of


def test_keys_are_the_same_on_every_machine_and_forever() -> None:
    """A changed hash would silently change every published random number."""
    assert derive(0, "noise", 3).hex() == "de37225b8adf3861bd886e68a4330cb3"
    assert seed_of(derive(0, "noise", 3)) == 3502797502851128303


def test_order_matters() -> None:
    assert derive("a", "b") != derive("b", "a")


def test_no_parts_have_a_key() -> None:
    assert len(derive()) == 16
