# expect: TL301 fixture:service what=work born=start on=test_first
# why: a session fixture without a teardown, of a conftest
# runner: sync
# with: session_thread.py as conftest.py


def test_first(service: str) -> None:
    assert service


def test_last() -> None:
    pass
