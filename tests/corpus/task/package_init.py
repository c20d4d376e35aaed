"""The package of package_fixture_orphan."""
