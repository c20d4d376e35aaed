"""The first module of the package of package_fixture_orphan."""


async def test_first_of_package(broker: str) -> None:
    assert broker
