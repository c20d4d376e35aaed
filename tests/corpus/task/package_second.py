"""The second module of the package of package_fixture_orphan."""


async def test_inside_package() -> None:
    pass


async def test_last_of_package(broker: str) -> None:
    assert broker
