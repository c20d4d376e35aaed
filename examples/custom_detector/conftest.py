from connections import Connections


def pytest_taskleak_detectors():
    return [Connections()]
